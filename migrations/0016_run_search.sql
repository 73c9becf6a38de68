-- Runs are found by words in what people said and in what was reached. One column, so that the planner can tell a rare word
-- (the index) from a common one (newest first until the page is full).

-- What deciders said; written together with their votes.
alter table run add column notes text not null default '';

update run
set notes = said.comments
from (select run_id, string_agg(comment, ' ' order by at) as comments from approval group by run_id) said
where said.run_id = run.id;

alter table run add column words tsvector not null generated always as (
    to_tsvector(
        'simple',
        -- The parser takes `INC-2291` for a word and a negative number; people look for its parts.
        regexp_replace(
            reason || ' ' || course || ' ' || pair || ' ' || state_reason || ' ' || notes || ' '
            || coalesce(outcome ->> 'summary', ''),
            '[[:punct:]]+', ' ', 'g'
        )
    )
) stored;
create index run_by_words on run using gin (words);
create index run_by_state on run (state, number desc);
