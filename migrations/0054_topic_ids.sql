-- Which id each topic of a pair's sides had, and until when. A topic that is deleted and made anew under its name has another id. Tracks
-- tell that of a flow's sources only, to the day: of a copy that was made anew on the target nothing was kept but the alarm.
-- A row is written when a topic gets an id, and once more when it is gone or has another; a survey in which nothing changed writes none.

create table recorder_topic (
    pair text not null,
    -- On which side: 'a' or 'b'.
    side text not null,
    topic text not null,
    topic_id uuid not null,
    -- The first survey that saw it with this id.
    seen_from timestamptz not null,
    -- The last one, as far as that is known; null while it is there.
    seen_until timestamptz,
    primary key (pair, side, topic, topic_id),
    constraint recorder_topic_of_pair foreign key (pair) references pair (name) on delete cascade,
    constraint recorder_topic_side_known check (side in ('a', 'b'))
);

-- Those that are over are few: what was made anew in a time is found by them, and what may go.
create index recorder_topic_over on recorder_topic (pair, seen_until) where seen_until is not null;
