-- Why an occurrence is nobody's duty any more: its schedule was switched off, removed or moved away from it before its drill
-- began. Null while it stands. What nobody held in its window stays overdue: that is evidence, and no later change ends it.

alter table drill_occurrence
    add column skipped_why text;

-- Schedules that are off already: what they left behind starts nothing and is told to nobody from now on.
update drill_occurrence
set skipped_why = 'its schedule was switched off'
from schedule
where schedule.id = drill_occurrence.schedule_id
    and not (schedule.body ->> 'enabled')::boolean
    and drill_occurrence.run_id is null
    and drill_occurrence.closes > clock_timestamp();
