"""Makes ../schwingbach/*: hourly readings of a weather station, a groundwater
well and a soil moisture profile in the Schwingbach catchment, Hesse, Germany.

    pip download --no-deps spotpy==1.6.7 && unzip spotpy-1.6.7-*.whl -d /tmp/spotpy
    python3 schwingbach.py /tmp/spotpy/spotpy/examples/cmf_data REPOSITORY/data/schwingbach
    gzip -9n REPOSITORY/data/schwingbach/weather.csv
    zstd -19 --rm REPOSITORY/data/schwingbach/soil-moisture.csv

Values are kept as text, digit for digit. Three things are changed:

1.  Comment lines are dropped (they are quoted in ../README.md), and the header
    of the soil moisture file loses its leading `# `.
2.  In the weather file day and month are exchanged wherever the day is 12 or
    less: `02/01/2014` was once read as 1 February. Exchanged back, the rows are
    26,304 consecutive hours in the order of the file, which this script checks.
    The groundwater head was joined to the printed times afterwards, so it is
    right where they stand and is moved to the row that has that time.
    Evidence: the mean step over midnight. Pressure 0.28 hPa in the order of the
    file, 4.09 hPa in the order of the printed times (within a day: 0.32 hPa);
    head 0.047 m in the order of the file, 0.0015 m by the printed times.
3.  Nothing else: empty fields (readings of the well that are missing) stay empty.
"""

import datetime
import pathlib
import sys

HOUR = datetime.timedelta(hours=1)


def rows(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    header = lines[0].removeprefix("# ")
    body = [line for line in lines[1:] if not line.startswith("#")]
    return header, [line.split(",", 1) for line in body]


def exchanged(text):
    time = datetime.datetime.fromisoformat(text)
    if time.day <= 12:
        time = time.replace(month=time.day, day=time.month)
    return time


def write(path, header, times, values):
    for before, after in zip(times, times[1:]):
        assert after - before == HOUR, (path, before, after)
    with path.open("w", encoding="utf-8", newline="\n") as out:
        out.write(header + "\n")
        for time, rest in zip(times, values):
            out.write(f"{time:%Y-%m-%d %H:%M:%S},{rest}\n")


def main():
    source, target = map(pathlib.Path, sys.argv[1:])
    header, weather = rows(source / "driver_data_site24.csv")
    assert header.endswith(",gwhead_m")
    times = [exchanged(time) for time, _ in weather]
    head = {
        datetime.datetime.fromisoformat(time): values.rsplit(",", 1)[1]
        for time, values in weather
    }
    values = [
        f"{values.rsplit(',', 1)[0]},{head[time]}" for time, (_, values) in zip(times, weather)
    ]
    write(target / "weather.csv", header, times, values)
    header, soil = rows(source / "soilmoisture_site24.csv")
    times = [datetime.datetime.fromisoformat(t) for t, _ in soil]
    write(target / "soil-moisture.csv", header, times, [v for _, v in soil])


main()
