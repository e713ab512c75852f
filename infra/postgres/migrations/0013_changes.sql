-- definition d8b69aff2c1daa984ada8216845f1fbc7ec88ec7916f0aab9ba28ca38b133511
-- What changes for readers is written down from here on. It begins with what they see now: 07_changes.sql, in the same
-- transaction, when the tables of every kind are as they are today.
select set_config('omni.feed_begins', 'here', true);
