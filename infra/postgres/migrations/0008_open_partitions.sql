-- definition b582d8c72a15328a81fb8e2818f2a959e4ad759d31101d69767a06701aca38aa
-- What a proof left open is told by kind and day. It was days of tickets so far.
alter table ops.proof
    alter column open_partitions drop default,
    alter column open_partitions type jsonb using to_jsonb(open_partitions),
    alter column open_partitions set default '[]';
update ops.proof as held set open_partitions = (
    select jsonb_agg(jsonb_build_object('record_kind', 'ticket_v1', 'partition_key', day) order by day)
    from jsonb_array_elements_text(held.open_partitions) as open (day)
)
where held.open_partitions <> '[]';
