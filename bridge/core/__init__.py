"""Decides everything and touches nothing. To read it from the beginning:

model, attached, decision    the values: what is known, and the one Decision
intake, holding              who may speak, what goes together, what is held
commands, verbs, words       text to a Command; usages and manual explain each
decide, room                 a Command to its Decision, and what each one looks at
planning, prompts            words to a turn
naming, control, stopping    commands about threads and turns
answers, history, life       commands that only answer; given_up, resending
turns, turn_states           the life of a turn
approvals, verdicts          the requests of a turn, and the owner's word to them
artifacts, paths, uploading  files to the phone; fetching: files from it
sending, bubbles             what may leave now, and an answer as bubbles
text, markdown, foreign      any text as a phone may show it; places, names, brief
groups, group_chat, group_rights, guests    groups and agents, who are not the owner
phrases, sentences, rules    all that is said, and the rule behind each no
tools, retention, steps, errors             the controller's tools, what may go, small things
"""
