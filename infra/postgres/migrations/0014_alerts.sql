-- definition c08077dfc31f5e98fc5aeccc7eba4f71db0c7977908611c3a908ebf603a0b093
-- Who was told of which day: a table of its own (08_alerts.sql), empty at first.
select;
