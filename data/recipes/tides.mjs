// Makes ../tides/*: water levels predicted for Noyo Harbor, California (NOAA
// station 9417426), from the station's published harmonic constituents.
//
//   mkdir /tmp/tides && cd /tmp/tides && npm init -y
//   npm install @neaps/tide-database@0.10.20260924 @neaps/tide-predictor@0.11.0
//   cp REPOSITORY/data/recipes/tides.mjs . && node tides.mjs REPOSITORY/data/tides
//   zstd -19 --rm REPOSITORY/data/tides/noyo-harbor-edition-*.csv
//
// Two editions of one series that overlap for six months: the first was
// "issued" without the two seasonal constituents (SA, SSA), the second has all
// 37. Times are civil time in America/Los_Angeles with their offset, every six
// minutes; levels are metres above mean lower low water, to the millimetre.
// The same versions of the packages give the same bytes.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stationsById } from "@neaps/tide-database";
import { createTidePredictor } from "@neaps/tide-predictor";

const target = process.argv[2];
if (!target) throw new Error("usage: node tides.mjs DIRECTORY");

const station = stationsById.get("noaa/9417426");
// Constituents are about mean sea level; the chart datum is lower.
const aboveDatum = station.datums.MSL - station.datums.MLLW;

const zone = new Intl.DateTimeFormat("en-CA", {
  timeZone: "America/Los_Angeles",
  hourCycle: "h23",
  year: "numeric", month: "2-digit", day: "2-digit",
  hour: "2-digit", minute: "2-digit", second: "2-digit",
  timeZoneName: "longOffset",
});

function civil(time) {
  const part = Object.fromEntries(zone.formatToParts(time).map((p) => [p.type, p.value]));
  const offset = part.timeZoneName.replace("GMT", "");
  return `${part.year}-${part.month}-${part.day}T${part.hour}:${part.minute}:${part.second}${offset}`;
}

function predictor(leaveOut) {
  const used = station.harmonic_constituents.filter((c) => !leaveOut.includes(c.name));
  return createTidePredictor(used, { offset: aboveDatum });
}

function levels(leaveOut, from, to) {
  const lines = ["time,water_level_m"];
  const start = new Date(from);
  const end = new Date(to);
  const points = predictor(leaveOut).getTimelinePrediction({ start, end, timeFidelity: 360 });
  for (const { time, level } of points) {
    if (time < end) lines.push(`${civil(time)},${level.toFixed(3)}`);
  }
  return lines.join("\n") + "\n";
}

function highsAndLows(from, to) {
  const lines = ["time,tide,water_level_m"];
  const points = predictor([]).getExtremesPrediction({ start: new Date(from), end: new Date(to) });
  for (const { time, level, high } of points) {
    lines.push(`${civil(time)},${high ? "high" : "low"},${level.toFixed(3)}`);
  }
  return lines.join("\n") + "\n";
}

const write = (name, text) => writeFileSync(join(target, name), text);
write("noyo-harbor-edition-1.csv",
  levels(["SA", "SSA"], "2024-01-01T00:00:00-08:00", "2025-07-01T00:00:00-07:00"));
write("noyo-harbor-edition-2.csv",
  levels([], "2025-01-01T00:00:00-08:00", "2026-01-01T00:00:00-08:00"));
write("noyo-harbor-high-low.csv",
  highsAndLows("2024-01-01T00:00:00-08:00", "2026-01-01T00:00:00-08:00"));
