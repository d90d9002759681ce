-- Reserves places among the notifications of some listeners, as far as their caps allow.
--
-- KEYS   1: told:{NN}: listener -> msgpack [sent, clicked, [[release, at, flags, artist, ...], ...]], oldest
--        first; sent and clicked fade; flags: 1 sent, 2 clicked; at: 0 of a click on what was told so long ago that
--        it was not kept any more; artists as numbers; behind them, where other ids are part of the listener,
--        [token of a merge, ...] (join_told.lua)
-- ARGV   1: release   2: now   3: msgpack [a day, a week, gap, artist gap, unreported, span, kept]: notifications a
--        listener at most, 0 for any number; seconds between two, and between two of the same artist; seconds
--        after which one counts no more of which nothing was heard; seconds that the longest cap looks back;
--        how many are kept   4: msgpack [listener, reserve, ...]; reserve: 0 only asks
--        5: msgpack [artist, ...], whom the release is by
-- result msgpack [answer, ...]: 0 there is a place, 1 "a day" is full, 2 "a week" is full, 3 the gap is too short,
--        4 that of the artist is
--
-- Who has a place for this release keeps it: a page that is planned once more asks again. A place of more than a
-- week ago is of an earlier answer to the same release.

local DAY, WEEK = 86400, 604800

local release, now = ARGV[1], tonumber(ARGV[2])
local a_day, a_week, gap, artist_gap, unreported, span, most_kept = unpack(cmsgpack.unpack(ARGV[3]))
local asked, artists = cmsgpack.unpack(ARGV[4]), cmsgpack.unpack(ARGV[5])
local is_by = {}
for _, artist in ipairs(artists) do
  is_by[artist] = true
end

local function same_artist(each)
  for n = 4, #each do
    if is_by[each[n]] then
      return true
    end
  end
  return false
end

local result = {}
for i = 1, #asked, 2 do
  local user, reserve = asked[i], asked[i + 1]
  local packed = redis.call('HGET', KEYS[1], user)
  local sent, clicked, told, joined = 0, 0, {}, nil
  if packed then
    sent, clicked, told, joined = unpack(cmsgpack.unpack(packed))
  end
  local kept, day, week, last, last_of_artist, there = {}, 0, 0, -math.huge, -math.huge, false
  for n, each in ipairs(told) do
    local name, at, flags = unpack(each)
    if at > now - span and n > #told - most_kept then
      kept[#kept + 1] = each
      if name == release and at > now - WEEK then
        there = true
      elseif flags > 0 or at > now - unreported then
        week = week + (at > now - WEEK and 1 or 0)
        day = day + (at > now - DAY and 1 or 0)
        last = math.max(last, at)
        last_of_artist = same_artist(each) and math.max(last_of_artist, at) or last_of_artist
      end
    end
  end
  local answer = 0
  if not there then
    if a_day > 0 and day >= a_day then
      answer = 1
    elseif a_week > 0 and week >= a_week then
      answer = 2
    elseif gap > 0 and last > now - gap then
      answer = 3
    elseif artist_gap > 0 and last_of_artist > now - artist_gap then
      answer = 4
    elseif reserve == 1 then
      kept[#kept + 1] = {release, now, 0, unpack(artists)}
      redis.call('HSET', KEYS[1], user, cmsgpack.pack({sent, clicked, kept, joined}))
    end
  end
  result[#result + 1] = answer
end
return cmsgpack.pack(result)
