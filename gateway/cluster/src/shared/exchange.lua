-- One exchange of a gateway: does what the gateway has changed, and answers with what
-- has changed since the gateway read last. All of it happens at once, but Redis takes
-- nothing back when something fails half way. So the batch is noted before anything of
-- it is done, and what cannot be read is as if it were not there: it is counted, and
-- the next deed on it puts something readable in its place.
--
-- KEYS: items   hash    field -> "STAMP EXPIRES KIND CONTENT", times in milliseconds, 0: never
--       log     zset    field -> the version of its last change
--       expiry  zset    field -> EXPIRES
--       meta    hash    epoch, version, bytes, kept
--       gateways hash   gateway -> "READ BATCH AT"
-- ARGV: gateway, the epoch that it knows, one for data that are new, batch, the version up
--       to which it has read, the same as others may count on it, then the deeds:
--       w FIELD STAMP EXPIRES KIND CONTENT
--       a FIELD STAMP EXPIRES DELTA
--       l FIELD RATE BURST DEBIT LACKED USED HELD
local items, log, expiry, meta, gateways = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

local LIVING = 3000           -- a gateway that was not heard for so long is not counted
local FORGOTTEN = 3600000     -- nor is it known which batch it sent last
local PAGE = 1000             -- records of an answer
local PAGE_BYTES = 1048576    -- and bytes, or one record that is larger
local MOST_ITEMS = 1048576    -- items that are kept, the latest
local MOST_BYTES = 268435456  -- and bytes of fields and records
local KEPT = 86400            -- seconds that all of it stays after the last gateway
local LONGEST = 86400000      -- how long a bucket is known at most
local MARGIN = 5000           -- and beyond the time when it is full
local EXACT = 9007199254740991

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local me, batch, from, read = ARGV[1], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

local unreadable = 0
-- A number that was kept, if it can be read.
local function exact(text)
  local number = tonumber(text)
  if number and number >= 0 and number <= EXACT then return number end
end

local known = redis.call('HMGET', meta, 'epoch', 'version', 'bytes', 'kept')
local version, bytes = exact(known[2]), exact(known[3])
-- Nobody can tell what belongs to data that have no version: they begin anew, with what
-- the gateways have.
if not (known[1] and version and bytes) then
  redis.call('UNLINK', items, log, expiry, gateways)
  known, version, bytes = {}, 0, 0
end
local epoch = known[1] or ARGV[3]
local before, bytes_before = version, bytes
-- The server came back older than it was. From now on its data are others, so that
-- those who had read less see it as well.
if epoch == ARGV[2] and from > version then epoch = ARGV[3] end
local is_new = epoch ~= ARGV[2]
if is_new then from, read = 0, 0 end

local function whole(number) return string.format('%.0f', number) end

-- Who is there, up to where the others have read, and what of this one was done.
local living, count, have_read, done, mine, seen = { [me] = true }, 1, EXACT, 0, -1, 0
local told = redis.call('HGETALL', gateways)
for place = 1, #told, 2 do
  local its, last, at = string.match(told[place + 1], '^(%d+) (%d+) (%d+)$')
  its, last, at = exact(its), exact(last), exact(at)
  if not (its and last and at) then
    unreadable = unreadable + 1
    redis.call('HDEL', gateways, told[place])
  elseif told[place] == me then
    mine, done, seen = its, last, at
  elseif now - at <= LIVING then
    living[told[place]] = true
    count = count + 1
    have_read = math.min(have_read, its)
  elseif now - at > FORGOTTEN then
    redis.call('HDEL', gateways, told[place])
  end
end

local last = math.max(batch, done)
if mine ~= read or batch > done or now - seen > LIVING / 3 then
  redis.call('HSET', gateways, me, whole(read) .. ' ' .. whole(last) .. ' ' .. whole(now))
end

local function drop(field)
  local length = redis.call('HSTRLEN', items, field)
  if length > 0 then bytes = bytes - length - #field end
  redis.call('HDEL', items, field)
  redis.call('ZREM', log, field)
  redis.call('ZREM', expiry, field)
end

local function item(field)
  local record = redis.call('HGET', items, field)
  if not record then return nil end
  local stamp, expires, kind, content = string.match(record, '^(%d+) (%d+) (%a) (.*)$')
  stamp, expires = exact(stamp), exact(expires)
  if not (stamp and expires) then
    unreadable = unreadable + 1
    return nil
  end
  if expires > 0 and expires <= now then return nil end
  return { stamp = stamp, expires = expires, kind = kind, content = content }
end

local function put(field, stamp, expires, kind, content, is_told)
  local record = whole(stamp) .. ' ' .. whole(expires) .. ' ' .. kind .. ' ' .. content
  local length = redis.call('HSTRLEN', items, field)
  bytes = bytes + #record - length
  if length == 0 then bytes = bytes + #field end
  redis.call('HSET', items, field, record)
  if is_told then
    version = version + 1
    redis.call('ZADD', log, whole(version), field)
  end
  if expires > 0 then
    redis.call('ZADD', expiry, whole(expires), field)
  else
    redis.call('ZREM', expiry, field)
  end
end

local function write(field, stamp, expires, kind, content)
  local old = item(field)
  local is_newer = not old or stamp > old.stamp
      or (stamp == old.stamp and (expires == 0 or expires >= old.expires))
  if is_newer then put(field, stamp, expires, kind, content, true) end
end

local function add(field, stamp, expires, delta)
  local old = item(field)
  local sum = old and (old.kind == 'N' or old.kind == 'B') and string.match(old.content, '^-?%d+$')
  if sum then stamp, expires = math.max(stamp, old.stamp), old.expires end
  sum = math.max(-EXACT, math.min(EXACT, tonumber(sum or 0) + delta))
  put(field, stamp, expires, 'N', whole(sum), true)
end

-- A bucket's content: "LEVEL AT BORN" and for each gateway that has leased something
-- " GATEWAY=TOKENS". What a gateway had that is not there any more is free again.
-- Where the answer to a batch was lost, what it granted is given back.
local leases, is_again = {}, batch > 0 and batch <= done
local function lease(field, rate, burst, debit, lacked, used, held)
  local old = item(field)
  local level, at, born, expires, leased = burst, now, version + 1, 0, {}
  if old and old.kind == 'L' then
    local its, since, version_then, rest = string.match(old.content, '^(%S+) (%d+) (%d+)(.*)$')
    its, since, version_then = tonumber(its), exact(since), exact(version_then)
    if its and math.abs(its) <= EXACT and since and version_then then
      level, at, born, expires = its, since, version_then, old.expires
      for gateway, tokens in string.gmatch(rest, ' (%d+)=(%S+)') do
        if living[gateway] then leased[gateway] = exact(tokens) end
      end
    else
      unreadable = unreadable + 1
    end
  end
  if is_again then
    debit, lacked, used = math.min(0, held - (leased[me] or held)), 0, 0
  end
  local function room()
    local left = burst
    for _, tokens in pairs(leased) do left = left - tokens end
    return left
  end
  level = math.min(room(), level + rate * math.max(0, now - at) / 1000) - debit
  local reserve = 0
  if have_read < born then
    reserve = (count - 1) * math.min(burst, math.max(1, math.floor(burst / count)))
  end
  local free, tokens = level - reserve, 0
  -- Whoever gives back wants none.
  if debit >= 0 then
    local target = math.max(lacked, 2 * used, math.ceil(free / count))
    tokens = math.max(0, math.floor(math.min(target - held, free)))
  end
  level = level - tokens
  leased[me] = held + tokens
  local left = room()
  level = math.min(level, left)
  local full = now + math.min(LONGEST, math.ceil((left - level) * 1000 / rate))
  -- In time before its end, by which somebody may still have something leased of it.
  local is_told = full + MARGIN / 2 > expires
  if is_told then expires = full + MARGIN end
  local content = string.format('%.6f %.0f %.0f', level, now, born)
  for gateway, had in pairs(leased) do
    if had > 0 then content = content .. ' ' .. gateway .. string.format('=%.6f', had) end
  end
  put(field, now, expires, 'L', content, is_told)
  leases[#leases + 1] = field
  leases[#leases + 1] = string.format(
    '%.0f %.6f %.6f %.0f %.0f', tokens, level, left, born, expires)
end

local deeds, place = 0, 7
local function number(offset) return tonumber(ARGV[place + offset]) end
while ARGV[place] do
  local deed, field = ARGV[place], ARGV[place + 1]
  if deed == 'w' then
    write(field, number(2), number(3), ARGV[place + 4], ARGV[place + 5])
    place = place + 6
  elseif deed == 'a' then
    if not is_again then add(field, number(2), number(3), number(4)) end
    place = place + 5
  else
    lease(field, number(2), number(3), number(4), number(5), number(6), number(7))
    place = place + 8
  end
  deeds = deeds + 1
end

-- What is over goes, and beyond the bounds what was changed longest ago: more than came.
if deeds > 0 then
  local most = 2 * deeds + 16
  for _, field in ipairs(redis.call('ZRANGEBYSCORE', expiry, 1, now, 'LIMIT', 0, most)) do
    drop(field)
  end
  while most > 0 and (bytes > MOST_BYTES or redis.call('HLEN', items) > MOST_ITEMS) do
    local oldest = redis.call('ZRANGE', log, 0, 0)[1]
    if not oldest then break end
    drop(oldest)
    most = most - 1
  end
end

if epoch ~= known[1] or version ~= before or bytes ~= bytes_before then
  redis.call('HSET', meta, 'epoch', epoch, 'version', whole(version), 'bytes', whole(bytes))
end
local is_due = now - (exact(known[4]) or 0) > KEPT * 100
if is_due then redis.call('HSET', meta, 'kept', whole(now)) end
if is_due or deeds > 0 or mine < 0 then
  for _, key in ipairs(KEYS) do
    -- One that has just come has no end yet.
    if is_due or redis.call('TTL', key) == -1 then redis.call('EXPIRE', key, KEPT) end
  end
end

local page, upto, has_more, size = {}, version, 0, 0
local news = redis.call(
  'ZRANGEBYSCORE', log, '(' .. whole(from), '+inf', 'WITHSCORES', 'LIMIT', 0, PAGE)
for place = 1, #news, 2 do
  local record = redis.call('HGET', items, news[place])
  page[#page + 1] = news[place]
  page[#page + 1] = record or ''
  size = size + #page[#page]
  if size >= PAGE_BYTES or place + 1 == 2 * PAGE then
    upto = tonumber(news[place + 1])
    has_more = 1
    break
  end
end

return { whole(now), epoch, count, whole(have_read), is_new and 1 or 0, whole(upto), has_more,
  leases, page, unreadable }
