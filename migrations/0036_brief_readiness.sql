-- What pages of many pairs read of a judgement: everything but the lag of single topics, which is most of it, as text, so that
-- nothing has to be taken apart and put together for each look. A process of the version before writes none: a brief counts
-- only for the survey it is of.

alter table readiness
    add column brief text,
    add column brief_of bigint;
