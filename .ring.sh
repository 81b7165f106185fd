# Runs the command it is given for honcho: started again when it dies, ended when honcho has gone.
#
# honcho would end everything when one process ends. Where its terminal is closed or it is
# killed, it ends nothing: this shell and what it runs have a session of their own. What
# Codex runs has another one, so a turn goes on in either case.

PATH="$PWD/.venv/bin:$PATH"

# Between honcho and us is a process of Python's multiprocessing, which a kill of honcho
# leaves, and between honcho and that one there may be a server which starts it.
parent() { ps -o ppid= -p "$1" 2>/dev/null; }
honcho=$(parent $PPID) || honcho=$PPID
case $(ps -o args= -p $honcho 2>/dev/null) in *multiprocessing.forkserver*) honcho=$(parent $honcho) ;; esac

# As honcho ends us: SIGTERM to the whole group, and SIGKILL to what is there 5 s later.
(
    while kill -0 $honcho; do sleep 2; done
    trap '' TERM
    kill 0
    for _ in 1 2 3 4 5; do
        sleep 1
        kill -0 $$ || exit
    done
    kill -9 0
) >/dev/null 2>&1 &

trap 'exit 0' INT TERM HUP
while :; do
    "$@"
    case $? in
    2 | 3 | 4 | 5) sleep 30 ;; # a restart alone does not cure these
    *) sleep 1 ;;
    esac
done
