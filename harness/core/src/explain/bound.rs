//! The bound of a story: reports hold many, so each must stay small, whatever a trace, a subject or a panic says.

use super::story::{End, Story};
use serde::Serialize;

/// The most bytes of a story as JSON. A hundred of them fit into three megabytes.
pub const MOST_STORY_BYTES: usize = 30_000;
/// The most characters of a text of a story.
const MOST_CHARACTERS: usize = 500;
/// The most lines of a list of lines.
const MOST_LINES: usize = 24;

/// Cuts what is longer than a person reads, then gives up the earliest pictures and the earliest steps until it fits.
pub(super) fn keep_small(story: &mut Story) {
    cut_texts(story);
    let mut excess = bytes_of(story).saturating_sub(MOST_STORY_BYTES);
    for step in &mut story.steps {
        if excess == 0 {
            break;
        }
        if let Some(picture) = step.picture.take() {
            excess = excess.saturating_sub(bytes_of(&picture));
        }
    }
    let mut spare = 0;
    while 0 < excess && spare + 1 < story.steps.len() {
        excess = excess.saturating_sub(bytes_of(&story.steps[spare]));
        spare += 1;
    }
    story.steps.drain(..spare);
    story.earlier += spare;
}

fn bytes_of(part: &impl Serialize) -> usize {
    serde_json::to_vec(part).map_or(0, |json| json.len())
}

fn cut_texts(story: &mut Story) {
    let Story { component: _, subject, defect, shows, trace, setup, steps, end, diagnosis, signature, replay, .. } =
        story;
    [subject, trace, setup, replay].into_iter().for_each(cut);
    [defect, shows, diagnosis, signature].into_iter().flatten().for_each(cut);
    for step in steps {
        cut(&mut step.op);
        cut(&mut step.allowed);
        step.seen.as_mut().map(cut);
    }
    match end {
        End::Agreed => {}
        End::Moot { reason, .. } | End::Unsupported { reason } => cut(reason),
        End::Diverged { allowed, seen, scene, .. } => {
            allowed.as_mut().map(cut);
            cut(seen);
            cut_lines(scene);
        }
        End::Died { allowed, said, frames, .. } => {
            allowed.as_mut().map(cut);
            cut_lines(said);
            cut_lines(frames);
        }
    }
}

fn cut_lines(lines: &mut Vec<String>) {
    lines.truncate(MOST_LINES);
    lines.iter_mut().for_each(cut);
}

fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(MOST_CHARACTERS) {
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::story::{Came, ToldStep};
    use memtwin_models::picture::{Panel, Picture, Row, Tone};

    fn long_story() -> Story {
        let long = "\u{1}".repeat(100_000);
        let row = Row { cells: vec!["a cell of a row".to_owned(); 4], tone: Tone::Plain };
        let panel = Panel::Table { title: "rows".to_owned(), columns: vec!["head".to_owned(); 4], rows: vec![row; 20] };
        let step = ToldStep {
            op: long.clone(),
            allowed: "Done".to_owned(),
            seen: Some("Ok".to_owned()),
            came: Came::Agreed,
            picture: Some(Picture { panels: vec![panel] }),
        };
        Story {
            component: "guest_memory".to_owned(),
            subject: "mine".to_owned(),
            defect: None,
            shows: Some(long.clone()),
            trace: "one.jsonl".to_owned(),
            setup: "16 bytes".to_owned(),
            earlier: 7,
            steps: vec![step; 48],
            later: 0,
            end: End::Died {
                place: "at op 54".to_owned(),
                class: "panic".to_owned(),
                words: "the subject panicked".to_owned(),
                allowed: None,
                address: None,
                said: vec!["said".to_owned(); 1000],
                frames: Vec::new(),
            },
            diagnosis: None,
            signature: None,
            replay: "memtwin replay one.jsonl --subject mine".to_owned(),
        }
    }

    #[test]
    fn a_long_story_becomes_short_from_its_beginning() {
        let mut story = long_story();
        keep_small(&mut story);
        assert!(bytes_of(&story) <= MOST_STORY_BYTES, "{} bytes", bytes_of(&story));
        assert_eq!(story.earlier + story.steps.len(), 7 + 48);
        assert!(story.steps.len() < 48 && !story.steps.is_empty());
        assert!(story.steps[0].picture.is_none());
    }

    #[test]
    fn the_last_pictures_are_kept() {
        let mut story = long_story();
        story.steps.iter_mut().for_each(|step| step.op = "free(0)".to_owned());
        keep_small(&mut story);
        assert!(bytes_of(&story) <= MOST_STORY_BYTES);
        assert_eq!(story.steps.len(), 48);
        let first = story.steps.iter().position(|step| step.picture.is_some()).unwrap();
        assert!((1..40).contains(&first) && story.steps[first..].iter().all(|step| step.picture.is_some()));
    }

    #[test]
    fn a_short_story_stays_as_it_is() {
        let mut story = long_story();
        story.shows = None;
        story.steps.truncate(2);
        story.steps.iter_mut().for_each(|step| step.op = "free(0)".to_owned());
        if let End::Died { said, .. } = &mut story.end {
            said.truncate(3);
        }
        let mut kept = story.clone();
        keep_small(&mut kept);
        assert_eq!(kept, story);
    }
}
