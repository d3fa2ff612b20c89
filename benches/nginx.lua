-- Least connections and a session cookie for nginx, as its Lua module has them
-- written: state is a worker's own. `servers` is a list of addresses and ports.

local balancer = require "ngx.balancer"

local active = {}
for number = 1, #servers do
    active[number] = 0
end
local first = 0

-- The server with the fewest requests; another one comes first each time, so
-- that ties go round.
local function least()
    local count = #servers
    first = first % count + 1
    local chosen = first
    for step = 1, count - 1 do
        local other = (first + step - 1) % count + 1
        if active[other] < active[chosen] then
            chosen = other
        end
    end
    return chosen
end

function choose()
    local ctx = ngx.ctx
    local chosen
    if ctx.chosen then
        -- The one before could not be reached.
        active[ctx.chosen] = active[ctx.chosen] - 1
    else
        balancer.set_more_tries(2)
        local kept = tonumber(ngx.var.cookie_gw_session)
        chosen = kept and servers[kept] and kept
    end
    chosen = chosen or least()
    ctx.chosen = chosen
    active[chosen] = active[chosen] + 1
    balancer.set_current_peer(servers[chosen][1], servers[chosen][2])
end

function give_cookie()
    local chosen = ngx.ctx.chosen
    if chosen and tonumber(ngx.var.cookie_gw_session) ~= chosen then
        ngx.header["Set-Cookie"] = "gw_session=" .. chosen .. "; Path=/; HttpOnly; SameSite=Lax"
    end
end

function is_done()
    local chosen = ngx.ctx.chosen
    if chosen then
        active[chosen] = active[chosen] - 1
    end
end
