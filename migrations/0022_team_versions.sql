-- Two people who change what a team is said to do at once must not undo one another without noticing, as with all edits.

alter table team
    add column version bigint not null default 1;
