-- definition 7f1c1bae2f923c9e883fbe17ef821a9f133f3f542b070fcedc187751b8bb02d8
-- An obstacle is a code and its facts. What the gate said so far is words: a day that it kept back waits until it looks
-- again, as it does after every build. That also makes the view anew which reads them.
update release.partition_gate set is_pending = true where obstacles <> '{}';
alter table release.partition_gate drop column obstacles cascade;
alter table release.partition_gate add column obstacles jsonb not null default '[]';
alter table release.partition_gate alter column obstacles drop default;
