-- What lies around incidents is told for one partition of the flight recorder at a time, so incidents are looked up by time, of all pairs
-- at once: alarms by when they opened, losses by when they were written last.
create index alarm_by_opening on alarm (opened_at);
create index loss_by_writing on loss (at);

-- Of a loss that turned out to be none the topics are removed after some days, and the statement stays. Those that still have theirs are few.
create index loss_of_nothing on loss (at)
where settled
    and truth ->> 'records' = '0'
    and truth ->> 'exact' = 'true'
    and body -> 'topics' <> '[]'::jsonb;
