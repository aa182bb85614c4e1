//! How the time is split: into rounds, and each round among arms by what they brought of late. It measures nothing.

use std::time::Duration;

/// The most rounds: more would cost more starts than they bring.
const MOST_ROUNDS: u32 = 8;
/// What a slice should last for the start of an engine to be worth it.
const WORTHWHILE_SLICE: Duration = Duration::from_secs(10);
/// The shortest slice: engines take whole seconds.
const SHORTEST_SLICE: Duration = Duration::from_secs(1);
/// The part of a round that is split evenly, whatever was found: an arm that brought nothing of late may yet.
const EVEN_PART: f64 = 0.3;
/// What is left of an older yield with each newer one.
const MEMORY: f64 = 0.5;

/// In how many rounds so many arms share a time.
pub(super) fn rounds(time: Duration, arms: usize) -> u32 {
    let whole = WORTHWHILE_SLICE.as_secs_f64() * arms.max(1) as f64;
    (1..MOST_ROUNDS)
        .rev()
        .map(|fewer| fewer + 1)
        .find(|&rounds| f64::from(rounds) * whole <= time.as_secs_f64())
        .unwrap_or(1)
}

/// The slice of each arm: an even part, and the rest in proportion to the yields; all of it evenly where there was
/// none.
pub(super) fn slices(time: Duration, yields: &[f64]) -> Vec<Duration> {
    let all: f64 = yields.iter().sum();
    let even = 1.0 / yields.len().max(1) as f64;
    let part = |recent: &f64| if 0.0 < all { EVEN_PART * even + (1.0 - EVEN_PART) * recent / all } else { even };
    let rounded = |time: Duration| Duration::from_secs((time + SHORTEST_SLICE / 2).as_secs());
    yields.iter().map(|recent| rounded(time.mul_f64(part(recent))).max(SHORTEST_SLICE)).collect()
}

/// What an arm brings a second, after a slice: most of it what it brought just now.
pub(super) fn recent_yield(before: Option<f64>, brought: usize, used: Duration) -> f64 {
    let now = brought as f64 / used.as_secs_f64().max(SHORTEST_SLICE.as_secs_f64());
    before.map_or(now, |before| MEMORY * before + (1.0 - MEMORY) * now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn short_runs_have_one_round_and_long_ones_at_most_eight() {
        assert_eq!(rounds(seconds(60), 15), 1);
        assert_eq!(rounds(seconds(299), 10), 2);
        assert_eq!(rounds(seconds(300), 10), 3);
        assert_eq!(rounds(seconds(7200), 15), 8);
        assert_eq!(rounds(seconds(5), 0), 1);
    }

    #[test]
    fn without_a_yield_all_get_the_same() {
        assert_eq!(slices(seconds(60), &[0.0; 4]), [seconds(15); 4]);
        assert!(slices(seconds(60), &[]).is_empty());
    }

    #[test]
    fn who_brings_more_gets_more_and_nobody_goes_without() {
        let shared = slices(seconds(100), &[9.0, 1.0, 0.0]);
        assert_eq!(shared, [seconds(73), seconds(17), seconds(10)]);
        assert_eq!(shared.iter().sum::<Duration>(), seconds(100));
        assert_eq!(slices(seconds(2), &[5.0, 0.0, 0.0, 0.0])[1], seconds(1), "engines take whole seconds");
    }

    #[test]
    fn what_came_of_late_counts_most() {
        let once = recent_yield(None, 100, seconds(10));
        assert!((once - 10.0).abs() < 1e-9);
        let then = recent_yield(Some(once), 0, seconds(10));
        assert!((then - 5.0).abs() < 1e-9);
        assert!(recent_yield(Some(8.0), 0, seconds(10)) < recent_yield(Some(0.0), 100, seconds(10)));
        assert!(recent_yield(None, 1, Duration::ZERO) <= 1.0, "a slice that ends at once is no wonder");
    }
}
