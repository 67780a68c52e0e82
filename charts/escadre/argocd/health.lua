-- What Argo CD shows of a ModelDeployment, a ModelApproval or a ModelMirror of escadre.
-- docs/operate/health.md has the table and where this text goes. Base functions of Lua only.
local status = obj.status or {}
if status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "The operator has not looked at this generation yet."}
end
local found = {}
for _, condition in ipairs(status.conditions or {}) do
  found[condition.type] = condition
end
local function is_true(name)
  return found[name] ~= nil and found[name].status == "True"
end
local function words(name)
  local condition = found[name]
  if condition == nil then
    return "Condition " .. name .. " is missing."
  end
  local text = condition.reason .. ": " .. (condition.message or "")
  if condition.nextStep ~= nil then
    text = text .. " Next: " .. condition.nextStep
  end
  return text
end
local health = "Progressing"
if is_true("Stalled") then
  health = "Degraded"
elseif is_true("Reconciling") then
  -- A signature is a person's word: nothing goes on until it is given.
  if found.Reconciling.reason == "SignaturesMissing" then
    health = "Suspended"
  end
elseif is_true("Ready") then
  health = "Healthy"
end
return {status = health, message = words("Ready")}
