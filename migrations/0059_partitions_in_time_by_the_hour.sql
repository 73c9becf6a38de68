-- How long each partition was behind in an hour, and what a death would have cost of it in time: told from every survey of the hour once all of
-- it is sealed, and kept when these are gone. Beside the roll-up and not in it: a process of the version before refuses a body of another shape.
-- Null where it is not told: of hours before this, of the present one, and of those that only a process of the version before has sealed
-- blocks after. Empty where it cannot be told any more, since some of the hour's surveys are gone.

alter table recorder_hour add column times bytea;
-- Compressed already.
alter table recorder_hour alter column times set storage external;
