-- The fleet asks of every pair which run waits for people: mostly none, and finding none must not mean reading all its runs.

create index run_waiting_by_pair on run (pair, number desc) where state in ('awaiting_approval', 'approved');
