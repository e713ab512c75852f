-- definition f79fc989d24ac0c149c81578cbf11d9f806078f658e519f7038e683d2d6c89bd
-- An obstacle is a code and its facts. What the gate said so far is words: a day that it kept back waits until it looks
-- again, as it does after every build. That also makes the view anew which reads them.
update release.partition_gate set is_pending = true where obstacles <> '{}';
alter table release.partition_gate drop column obstacles cascade;
alter table release.partition_gate add column obstacles jsonb not null default '[]';
alter table release.partition_gate alter column obstacles drop default;
