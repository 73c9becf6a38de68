-- Where one group stood at a time is read from the flight recorder by its tracks, of which a large pair has hundreds of thousands.
create index recorder_track_of_group on recorder_track (stream, group_id) where group_id <> '';
