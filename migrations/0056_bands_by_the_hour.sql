-- How far the partitions of a flow were behind in an hour, all of them in one row: percentiles over them, the worst, the sum, how sure that
-- was, and both ends of what a death would have cost. Hours of single partitions are kept as well, but a month of a hundred thousand of
-- them is more than a page can wait for. Null where it is not known: of hours before this, and of those in which a process of the version
-- before took part. That one leaves the column as it is, so what is in it counts only where its last survey is the hour's.

alter table flow_rpo_hour add column band jsonb;
