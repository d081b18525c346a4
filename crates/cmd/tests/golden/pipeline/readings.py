"""Makes the readings of the golden pipeline: `readings/<site>/<scope>-<n>.csv`.

    python3 crates/cmd/tests/golden/pipeline/readings.py

What always holds: the same files every time, byte for byte. They are what
loggers at four sites would give, with everything that goes wrong with loggers:

- local times without an offset, over both changes of daylight saving of 2024;
- snapshots that overlap, the later ones revised here and there;
- a column that is only there from the second snapshot on (`salinity`);
- clocks that start at 1970 after a change of batteries;
- an instrument that was replaced (`noyo/Surface-old`, `noyo/Surface-new`), of
  which the new one was tested at a bench before, and the old one ran on;
- a unit that changes within a series (`navarro/Bottom`: psi, then mm Hg);
- a scope that measures seven minutes after the others, values that are missing,
  lines that come twice;
- files that come late, and files that correct.

Files are numbered in the order in which they come: 1 to 3 at first, `late`
after them, `corrected` at last.
"""

import pathlib
import random
from datetime import datetime, timedelta

HERE = pathlib.Path(__file__).resolve().parent / "readings"
SITES = ["albion", "garcia", "navarro", "noyo"]
SCOPES = ["Surface", "Middle", "Bottom"]


def day(month, number, minutes, hours=range(24)):
    return [datetime(2024, month, number, hour, minute) for hour in hours for minute in minutes]


def every_two_hours(month, number):
    return day(month, number, [0], range(0, 24, 2))


def march_10():
    """Two o'clock is not there."""
    return day(3, 10, [0, 15, 30, 45], [0, 1, *range(3, 24)])


def november_3():
    """One o'clock comes twice."""
    return day(11, 3, [0, 15, 30, 45], [0, 1, 1, *range(2, 24)])


ALL = (
    every_two_hours(3, 8) + every_two_hours(3, 9) + march_10() + every_two_hours(3, 11)
    + every_two_hours(10, 31) + every_two_hours(11, 1) + every_two_hours(11, 2)
    + november_3() + every_two_hours(11, 4)
)
BENCH = [datetime(2024, 10, 30, hour) for hour in range(0, 24, 6)]
LATE = every_two_hours(6, 15) + [datetime(2024, 3, 9, hour, 40) for hour in range(24)]
#: All of the hour that comes twice, so that its passes can be told apart.
CORRECTED = [at for at in ALL if at.hour in (1, 7) and at.day in (3, 10)] + [datetime(2024, 3, 8)]
NEAR_1970 = [
    datetime(1969, 12, 31, 16), datetime(1969, 12, 31, 16, 2), datetime(1969, 12, 31, 16, 16)
]


def snapshots():
    """What each of the three holds; the hour that comes twice is in the last two."""
    return [
        [at for at in ALL if at < datetime(2024, 3, 10, 14)],
        [at for at in ALL if datetime(2024, 3, 10, 6) <= at < datetime(2024, 11, 3, 12)],
        [at for at in ALL if at >= datetime(2024, 11, 2)],
    ]


class Instrument:
    """One logger; what it reads depends on its name and the time alone."""

    def __init__(self, site, scope):
        self.site, self.scope = site, scope
        self.salty = scope == "Bottom" and site in ("albion", "garcia")
        self.changes_unit = (site, scope) == ("navarro", "Bottom")
        self.offset = timedelta(minutes=7 if scope == "Middle" else 0)
        self.dice = random.Random(f"{site} {scope}")

    def value(self, column, revised):
        dice = self.dice
        if dice.random() < 0.04:
            return ""
        if column == "temperature":
            celsius = dice.gauss(12, 2)
            value = celsius * 1.8 + 32 if self.scope == "Middle" else celsius
            return f"{value + revised:.2f}"
        if column == "salinity":
            return f"{dice.gauss(31, 1) + revised:.3f}"
        kpa = dice.gauss(120, 5) + revised
        factor = {"psi": 0.1450377, "mm Hg": 7.500617, "mbar": 10, "kPa": 1}
        return f"{kpa * factor[self.unit]:.3f}"

    def file(self, name, times, columns, clock_lost=False, revised=0.0):
        """Writes one file; a few of its lines come twice, the second time right."""
        lines = [",".join(["time", *columns])]
        twice = set(self.dice.sample(range(len(times)), 2))
        for at, time in enumerate([*(NEAR_1970 if clock_lost else []), *times]):
            repeated = time.month == 11 and time.day == 3 and time.hour == 1
            for _ in range(2 if at in twice and not repeated else 1):
                local = (time + self.offset).strftime("%m/%d/%Y %H:%M:%S")
                plain = ["pressure" if c.startswith("pressure") else c for c in columns]
                lines.append(",".join([local, *(self.value(c, revised) for c in plain)]))
        path = HERE / self.site / f"{self.scope}-{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")

    def columns(self, number):
        pressure = f"pressure ({self.unit})" if self.changes_unit else "pressure"
        salinity = ["salinity"] if self.salty and number > 0 else []
        return ["temperature", pressure, *salinity]

    def write(self):
        units = {"Surface": "psi", "Surface-old": "psi", "Surface-new": "mm Hg", "Middle": "kPa"}
        self.unit = units.get(self.scope, "mbar")
        if self.scope == "Surface-old":
            times = [at for at in ALL if at < datetime(2024, 10, 31, 13)]
            self.file("1", times, self.columns(0))
            return
        if self.scope == "Surface-new":
            times = BENCH + [at for at in ALL if at >= datetime(2024, 10, 31)]
            self.file("1", times, self.columns(0), clock_lost=True)
            self.file("late", [at for at in LATE if at.month == 6], self.columns(0))
            self.file("corrected", [at for at in CORRECTED if at.month == 11], self.columns(0))
            return
        for number, times in enumerate(snapshots()):
            if self.changes_unit:
                self.unit = "psi" if number < 2 else "mm Hg"
            lost = number != 1 and (self.site, self.scope) in LOST
            self.file(f"{number + 1}", times, self.columns(number), lost, 0.05 * number)
        if (self.site, self.scope) in LATE_ONES:
            self.file("late", LATE, self.columns(2))
        if (self.site, self.scope) in CORRECTED_ONES:
            self.file("corrected", CORRECTED, self.columns(2), revised=0.5)


LOST = {("garcia", "Middle"), ("albion", "Surface")}
LATE_ONES = {("albion", "Bottom"), ("garcia", "Middle"), ("navarro", "Bottom"), ("noyo", "Middle")}
CORRECTED_ONES = {
    ("albion", "Bottom"), ("garcia", "Surface"), ("navarro", "Bottom"), ("noyo", "Middle")
}


def main():
    for site in SITES:
        scopes = ["Surface-old", "Surface-new", *SCOPES[1:]] if site == "noyo" else SCOPES
        for scope in scopes:
            Instrument(site, scope).write()


main()
