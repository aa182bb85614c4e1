//! A day of the calendar, as a list of known findings writes it: `2030-12-31`. It knows no time of day, no zone and no
//! clock.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY_SECONDS: u64 = 24 * 60 * 60;
/// The days of 400 years, after which the calendar repeats.
const ERA_DAYS: u64 = 146_097;
/// From the first of March of the year 0, which is the first day of an era, to the first of January 1970.
const EPOCH_DAYS: u64 = 719_468;

/// A day, by the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day {
    // In this order days compare as they follow each other.
    year: u16,
    month: u8,
    day: u8,
}

impl Day {
    /// The day on which a point in time lies, in UTC. What lies before 1970 is its first day, what lies after 9999 its
    /// last.
    #[must_use]
    pub fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Day::after_epoch(since.as_secs() / DAY_SECONDS)
    }

    /// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March, so that the leap day is
    /// their last.
    fn after_epoch(days: u64) -> Self {
        let days = days.saturating_add(EPOCH_DAYS);
        let (era, in_era) = (days / ERA_DAYS, days % ERA_DAYS);
        let year_in_era = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
        let in_year = in_era - (365 * year_in_era + year_in_era / 4 - year_in_era / 100);
        let from_march = (5 * in_year + 2) / 153;
        let day = in_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = 400 * era + year_in_era + u64::from(month <= 2);
        let last = Day { year: 9999, month: 12, day: 31 };
        match (u16::try_from(year), u8::try_from(month), u8::try_from(day)) {
            (Ok(year @ ..=9999), Ok(month), Ok(day)) => Day { year, month, day },
            _ => last,
        }
    }

    fn exists(self) -> bool {
        let is_leap = self.year.is_multiple_of(4) && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        let days = match self.month {
            2 => 28 + u8::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => 0,
        };
        (1..=days).contains(&self.day)
    }
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |from, to| text.get(from..to).and_then(|digits: &str| digits.parse().ok());
        let is_formed = text.len() == 10
            && text
                .bytes()
                .enumerate()
                .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() });
        let day = match (number(0, 4), number(5, 7), number(8, 10)) {
            (Some(year), Some(month), Some(day)) if is_formed => {
                // Neither has more than two digits.
                Some(Day { year, month: u8::try_from(month).unwrap_or(0), day: u8::try_from(day).unwrap_or(0) })
            }
            _ => None,
        };
        let said: String = text.chars().take(40).collect();
        day.filter(|day| day.exists()).ok_or_else(|| format!("{said:?} is no day: write it as 2030-12-31"))
    }
}

impl TryFrom<String> for Day {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Day> for String {
    fn from(day: Day) -> String {
        day.to_string()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Beside a library that knows the calendar: every day from 1970 on, for longer than the calendar takes to repeat.
    #[test]
    fn days_follow_each_other_as_in_the_calendar() {
        let mut expected = jiff::civil::date(1970, 1, 1);
        for number in 0..=ERA_DAYS {
            let day = Day::of(UNIX_EPOCH + Duration::from_secs(number * DAY_SECONDS + number % DAY_SECONDS));
            assert_eq!(day.to_string(), expected.to_string());
            assert_eq!(day.to_string().parse(), Ok(day));
            assert!(number == 0 || Day::after_epoch(number - 1) < day);
            expected = expected.tomorrow().unwrap();
        }
        assert_eq!(Day::after_epoch(u64::MAX).to_string(), "9999-12-31");
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "",
            "2030",
            "2030-1-1",
            "2030-13-01",
            "2030-00-01",
            "2030-01-00",
            "2030-02-29",
            "2100-02-29",
            "2030-04-31",
            "+030-01-01",
            "2030-01-+1",
            "2030/01/01",
            "2030-01-011",
            "２030-01-1",
        ] {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
        assert!("2028-02-29".parse::<Day>().is_ok() && "2000-02-29".parse::<Day>().is_ok());
    }
}
