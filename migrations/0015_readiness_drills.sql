-- A run that changes nothing needs nobody's approval.

alter table run drop constraint run_needs_an_approver;
alter table run add constraint run_needs_an_approver check (
    approvals_needed >= 1 or (operation = 'readiness_drill' and approvals_needed = 0)
);
