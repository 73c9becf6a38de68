-- Since when a step's own bound counts: its start, or the first attempt after a person had it begun again. Its start stays what it
-- was, for the bound on how long writes are away counts from the first time they were fenced, however often that is tried again.
-- Who does not know the column counts from the start and gives up sooner.
alter table run_step
    add column bound_from timestamptz;
