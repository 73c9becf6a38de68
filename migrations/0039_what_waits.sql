-- What is counted while something waits for somebody.

-- How often in a row a receiver has refused a message as wrong (a 4xx that does not mean "later"): what is refused again and
-- again does not hold up what comes after it for a day. Who does not know the column counts none and tries for a day.
alter table delivery
    add column refusals integer not null default 0;

-- The fleet tells how many findings of each pair are open; most of those there are have long been closed.
create index finding_open_by_pair on finding (pair) where closed_at is null;

-- Whether a drill has passed since an occurrence was recorded is asked for every occurrence that is shown, of pairs that may have
-- hundreds of runs.
create index run_passed_drill on run (pair, operation, created_at) where drill and state = 'passed';
