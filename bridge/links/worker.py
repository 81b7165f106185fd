"""The channel worker that holds the account now, and the calls we make to it.

The connection is the lease: a newer `channel.hello` closes the older connection. A
call that loses its connection raises LinkLost; whether it was carried out is then
asked of the same worker process when it comes back, and of nobody else.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TypeVar

import anyio

from bridge.core.attached import Selection
from bridge.core.errors import LinkLost
from bridge.core.fetching import MAX_FILE_BYTES, Wanted
from bridge.core.group_chat import chat_of
from bridge.core.model import Arrival, Attempt, MsgKey, OutRow, Part
from bridge.core.sending import wire_text
from bridge.wire import messages
from bridge.wire.peer import LinkLost as WireLost
from bridge.wire.peer import Peer, PeerFault, Refused

R = TypeVar("R")
SEND_DEADLINE_S = 60.0  # the worker's own limit is 15 s; this is for one that hangs
QUERY_DEADLINE_S = 5.0
HINT_DEADLINE_S = 5.0
UPLOAD_DEADLINE_S = 1200.0  # a largest file, three times, on the slowest line takes 1,140 s
FETCH_DEADLINE_S = 600.0  # a largest file on the slowest line takes 460 s; more is given up
IN_FLIGHT_POLL_S = 0.2
IN_FLIGHT_POLLS = 150  # 30 s: the worker's request has ended by then


class WorkerLink:
    """The lease and what is known of the worker behind it."""

    def __init__(self) -> None:
        self._peer: Peer | None = None
        self.instance = ""  # of the worker that holds the lease; "" when none does
        self.link_no = 0
        self.condition: messages.ChannelState | None = None
        self._made = ""  # the last attempt that this process handed over
        self._begun = False  # and whether its request was about to leave
        self._changed = anyio.Event()
        self._taken: set[str] = set()  # instances that have held the lease
        self._fenced: set[str] = set()  # those of them that another one has taken it from

    def attach(self, peer: Peer) -> None:
        """Give the lease to this connection; the older one is closed."""
        older, was = self._peer, self.instance
        self._peer = peer
        self.instance = peer.hello.instance if peer.hello else ""
        self._taken.add(self.instance)
        if was and was != self.instance:
            self._fenced.add(was)
        self.link_no += 1
        if older is not None and older is not peer:
            older.close()
        self._tell()

    def is_fenced(self, peer: Peer) -> bool:
        """Whether another process has taken the lease from the one behind this connection."""
        return peer.hello is not None and peer.hello.instance in self._fenced

    def has_held(self, peer: Peer) -> bool:
        """Whether the process behind this connection holds the lease, or once did."""
        return peer.hello is not None and peer.hello.instance in self._taken

    def holds(self, peer: Peer) -> bool:
        """Whether this connection has the lease."""
        return peer is self._peer and not peer.is_closed

    def detach(self, peer: Peer) -> None:
        """The connection has ended; the lease is free if it was this one's."""
        if peer is self._peer:
            self._peer, self.instance = None, ""
            self._tell()

    def heard(self, state: messages.ChannelState) -> None:
        self.condition = state

    def begun(self, note: messages.OutboundBegun) -> None:
        """The request of this attempt is about to leave."""
        if note.attempt_id == self._made:
            self._begun = True

    async def changed(self) -> None:
        """Wait until a worker comes or goes."""
        await self._changed.wait()

    async def send(self, attempt: Attempt) -> messages.SendReply:
        """One attempt, exactly one request; raises LinkLost when its outcome is not known."""
        peer = self._peer
        if peer is None or self.instance != attempt.instance:
            return messages.SendReply("not_sent", code="no_worker")
        self._made, self._begun = attempt.id, False
        chat = chat_of(attempt.row.peer)
        request = messages.OutboundSend(
            attempt_id=attempt.id,
            to_user_id=chat or attempt.row.peer,
            client_id=attempt.row.client_id,
            context_token=attempt.context_token,
            text="" if attempt.row.file else wire_text(attempt.row),
            media=media_of(attempt.row),
            group_id=chat,
        )
        try:
            return await peer.call(request, SEND_DEADLINE_S)
        except (WireLost, PeerFault, TimeoutError) as lost:
            peer.close()
            raise LinkLost("worker", self.link_no) from lost
        except Refused:
            return messages.SendReply("not_sent", code="refused_by_worker")

    async def outcome_of(self, attempt: Attempt) -> messages.SendReply:
        """What became of an attempt whose reply was lost; waits for a worker.

        The same process is asked. Another one cannot know: then it depends on whether
        the lost one had said that its request was leaving.
        """
        asked = 0
        while asked < IN_FLIGHT_POLLS:
            peer = self._peer
            if peer is None:
                await self._changed.wait()
                continue
            if self.instance != attempt.instance:
                never_left = attempt.id == self._made and not self._begun
                return messages.SendReply("not_sent" if never_left else "unknown")
            asked += 1
            with suppress(WireLost, PeerFault, TimeoutError, Refused):
                found = await peer.call(messages.OutboundQuery(attempt.id), QUERY_DEADLINE_S)
                if found.state == "done" and found.send is not None:
                    return found.send
                if found.state == "not_started":
                    return messages.SendReply("not_sent")
            await anyio.sleep(IN_FLIGHT_POLL_S)
        return messages.SendReply("unknown")

    async def upload(self, row: OutRow) -> messages.UploadReply:
        """Put the file of a bubble on the CDN; raises LinkLost when the worker has gone."""
        file = row.file
        assert file is not None  # else there is nothing to upload
        return await self._moved(
            messages.MediaUpload(file.staged_name, file.kind, row.peer, file.name, file.sha256),
            UPLOAD_DEADLINE_S,
            slow=messages.UploadReply("unknown", code="too slow"),
            refused=messages.UploadReply("not_sent", code="refused by the worker"),
        )

    async def fetch(self, file: Wanted) -> messages.FetchReply:
        """Have a file brought here; raises LinkLost when nobody can say what became of it."""
        return await self._moved(
            messages.MediaFetch(file.kind, messages.Media(**file.media), MAX_FILE_BYTES),
            FETCH_DEADLINE_S,
            slow=messages.FetchReply("gone", code="too slow"),
            refused=messages.FetchReply("retry", code="refused by the worker"),
        )

    async def _moved(
        self, request: messages.Request[R], deadline_s: float, *, slow: R, refused: R
    ) -> R:
        """What the worker says of a file's way, or what stands for no word of it in time."""
        peer = self._peer
        if peer is None:
            raise LinkLost("worker", self.link_no)
        try:
            return await peer.call(request, deadline_s)
        except (WireLost, PeerFault) as lost:
            raise LinkLost("worker", self.link_no) from lost
        except TimeoutError:
            return slow
        except Refused:
            return refused

    async def hint(self, request: messages.Request[messages.Done]) -> None:
        """Tell the worker something that may be lost without harm."""
        peer = self._peer
        if peer is None:
            return
        try:
            await peer.call(request, HINT_DEADLINE_S)
        except (WireLost, PeerFault, TimeoutError, Refused):
            return

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


def media_of(row: OutRow) -> messages.UploadedMedia | None:
    """The file of a bubble as it leaves; a copy is marked in its name."""
    file = row.file
    if file is None or file.handle is None:
        return None
    up = file.handle
    return messages.UploadedMedia(
        file.kind, up.download_param, up.aes_key, up.plain_bytes, up.cipher_bytes, wire_text(row)
    )


def arrival(message: messages.Inbound, channel: str) -> Arrival:
    """A message of the wire as a value of the core."""
    quote = message.quote
    return Arrival(
        channel=channel,
        sender=message.from_user_id,
        msg_key=MsgKey(message.msg_key),
        chat=message.chat,
        chat_id=message.group_id,
        is_echo=message.is_echo,
        create_time_ms=message.create_time_ms,
        client_id=message.client_id,
        context_token=message.context_token,
        parts=tuple(_part(part) for part in message.parts),
        quoted_id=quote.server_id if quote else "",
        quoted_text=quote.text if quote else "",
        is_cut=message.is_cut,
        malformed=message.malformed,
        quoted_part=_selection(quote) if quote else None,
    )


def _selection(quote: messages.Quote) -> Selection | None:
    if not quote.partial_start:
        return None
    return Selection(
        quote.partial_start,
        quote.partial_end,
        quote.partial_start_index,
        quote.partial_end_index,
        quote.partial_md5,
    )


def _part(part: messages.Part) -> Part:
    media = None
    if part.media is not None:
        media = {
            "download_param": part.media.download_param,
            "full_url": part.media.full_url,
            "aes_key": part.media.aes_key,
        }
    return Part(part.kind, part.text, part.file_name, part.size_bytes, media)
