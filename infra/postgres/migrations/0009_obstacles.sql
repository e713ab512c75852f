-- definition 695e0f0b36eeafdb24ab48a5053a65e61451d65361160cb290da9d225197a07b
-- An obstacle is a code and its facts. What the gate said so far is words: a day that it kept back waits until it looks
-- again, as it does after every build. That also makes the view anew which reads them.
update release.partition_gate set is_pending = true where obstacles <> '{}';
alter table release.partition_gate drop column obstacles cascade;
alter table release.partition_gate add column obstacles jsonb not null default '[]';
alter table release.partition_gate alter column obstacles drop default;
