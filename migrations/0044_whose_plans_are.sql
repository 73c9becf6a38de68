-- Whose a plan is, once its pair was removed: the team the pair belonged to when it was made. Who does not know the column leaves it
-- out; then it is the team of a run of the plan.
alter table plan
    add column team text;

update plan
set team = pair.team
from pair
where pair.name = plan.pair;

-- Of pairs that were removed before: as their newest run says. Of those that never ran, nobody can say whose they were.
update plan
set team = (
    select run.team
    from run
    where run.pair = plan.pair
    order by run.number desc
    limit 1
)
where team is null;
