-- What lies around incidents is told for one partition of the flight recorder at a time, so incidents are looked up by time, of all pairs
-- at once: alarms by when they opened, losses by when they were written last. So are topics that were made anew, of one pair.
create index alarm_by_opening on alarm (opened_at);
create index loss_by_writing on loss (at);
create index recorder_topic_by_begin on recorder_topic (pair, seen_from);
