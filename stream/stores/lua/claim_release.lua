-- Takes a release in hand, where nobody else has it and it is not done.
--
-- KEYS   1: release:{R}   2: release:{R}:held
--        3...: what else is kept by release, of which some may be left when the release itself is forgotten:
--        release:{R}:control, :seen, :counts, :part-counts, :told, :parts, :decisions
-- ARGV   1: who asks   2: now, Unix seconds   3: until when it is theirs   4: the event
--        5: the event's partition (with how often the topic was recreated)   6: its offset   7: its time, or ''
-- result 'new' (nothing is fixed), 'started' (some pages are fixed), 'paused' (and more is due), 'planned' (all
--        pages are fixed), 'done', or 'taken' (another has it in hand, or nothing more is due yet)
--
-- A release that was answered with nobody to tell may be asked for again by a later event: nobody would hear
-- of it twice. The event that it was answered for is not answered again, whoever else reads it.

local state, users, by, till, source, offset =
  unpack(redis.call('HMGET', KEYS[1], 'state', 'audience', 'by', 'till', 'source', 'offset'))
if state == 'done' then
  local answered = source == ARGV[5] and tonumber(ARGV[6]) <= tonumber(offset)
  if answered or tonumber(users or 0) > 0 then
    return 'done'
  end
end
if by and by ~= ARGV[1] and tonumber(till) > tonumber(ARGV[2]) then
  return 'taken'
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  -- Feedback on an earlier release of this id is kept since it came: what is reported of this one would be taken
  -- for it, and count nowhere.
  redis.call('UNLINK', unpack(KEYS, 3))
end
redis.call('HSET', KEYS[1], 'by', ARGV[1], 'till', ARGV[3])
if state == 'started' or state == 'paused' or state == 'planned' then
  return state
end
redis.call('DEL', KEYS[2])
-- What is kept of an answer that reached nobody, or of history, ends with its days: this one is not to.
redis.call('PERSIST', KEYS[1])
redis.call('PERSIST', KEYS[3])
if state == 'done' then  -- nothing is left of an answer that reached nobody
  redis.call('HDEL', KEYS[1], 'stopped_at', 'wave', 'wave_until', 'aimed', 'factors', 'next_wave_at', 'held_until',
    'told_by_wave', 'told_early', 'clicked_early', 'last_page_at', 'ab_policy', 'told_by_policy', 'expected_ctr',
    'random_ctr')
end
redis.call('HSET', KEYS[1], 'state', 'new', 'event', ARGV[4], 'source', ARGV[5], 'offset', ARGV[6],
  'published_at', ARGV[7])
return 'new'
