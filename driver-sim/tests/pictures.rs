//! Pictures of whole runs: they are well formed, and hold what happened.

use std::fs;
use std::path::PathBuf;

use driver_sim::picture::{Caption, Film, Look, What, page, svg};
use driver_sim::replay::Setup;
use driver_sim::swarm::Plan;
use driver_sim::tally::Mark;
use driver_sim::transcript::Telling;
use driver_sim::{Report, run_setup};
use serde_json::Value;

fn filmed(seed: u64, goal: Option<Mark>) -> (Film, Report) {
    let plan =
        Plan { safety_us: Some(1_000_000), groups: Some(1), nodes: Some(3), ..Plan::default() };
    let setup = Setup { plan, goal, ..Setup::default() };
    let choice = driver_sim::choice::Seeded::new(seed);
    let mut report = run_setup(choice, &setup, Telling::Filmed(0, 3_000));
    (report.film.take().expect("it was filmed"), report)
}

fn nasty() -> Caption {
    Caption {
        title: "</script><b>\"&' {{data}}".to_owned(),
        facts: vec![("</script>".to_owned(), "<img src=x onerror=alert(1)>".to_owned())],
        broken: Some("--></script>\u{2028}".to_owned()),
    }
}

/// The data of a page, as its own program reads them.
fn data(page: &str) -> Value {
    let (_, rest) =
        page.split_once("<script type=\"application/json\" id=\"data\">").expect("data");
    let (data, _) = rest.split_once("</script>").expect("the end of the data");
    serde_json::from_str(data).expect("well-formed data")
}

/// Every element that begins ends, in order; void ones of HTML excepted.
fn balance(markup: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = markup;
    while let Some((_, after)) = rest.split_once('<') {
        let name: usize = after.find(|c: char| !(c.is_alphanumeric() || c == '/')).unwrap_or(0);
        let end = after.find('>').expect("a tag ends");
        let (name, tag) = (&after[..name], &after[..end]);
        rest = &after[end + 1..];
        if let Some(name) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "in order, before {:.60}", rest);
        } else if matches!(name, "script" | "style") {
            let end = format!("</{name}>");
            let (_, after) = rest.split_once(&end).expect("it ends");
            rest = after;
        } else if !tag.ends_with('/') && !tag.starts_with('!') && !matches!(name, "meta" | "input")
        {
            open.push(name);
        }
    }
    assert_eq!(open, [""; 0]);
}

#[test]
fn a_page_is_well_formed_and_needs_nothing_else() {
    let (film, _) = filmed(7, None);
    let page = page(&film, &nasty());
    balance(&page);
    assert_eq!(page.matches("</script>").count(), 2, "nothing in the data ends its element");
    for outside in ["src=\"", "href=", "@import", "url(", "fetch(", "http:", "https:"] {
        let program = page.replace("http://www.w3.org/", "");
        assert!(!program.contains(outside), "{outside} leads out of the page");
    }
    let data = data(&page);
    assert_eq!(data["title"], nasty().title);
    assert_eq!(data["broken"], nasty().broken.expect("it broke"));
}

#[test]
fn a_page_holds_the_run() {
    let (film, report) = filmed(7, None);
    let data = data(&page(&film, &Caption::default()));
    let (frames, words) = (data["frames"].as_array().unwrap(), data["words"].as_array().unwrap());
    assert_eq!(frames.len(), film.frames().len());
    assert_eq!(data["nodes"], serde_json::json!([1, 2, 3]));
    for (row, (_, frame)) in frames.iter().zip(film.frames()) {
        assert_eq!(row[0], frame.at);
        assert_eq!(words[row[3].as_u64().unwrap() as usize], frame.words);
        assert_eq!(row[4].as_array().unwrap().len(), frame.effects.len());
    }
    assert_eq!(data["flights"].as_array().unwrap().len(), film.flights().count());
    let slots = data["choosings"].as_array().unwrap().len() as u64;
    if film.made() == film.frames().len() as u64 {
        assert_eq!(slots, report.summary.counts.slots, "every slot is chosen once in the picture");
    }
}

#[test]
fn what_broke_is_the_last_frame() {
    let mut films = (0..50).map(|seed| filmed(seed, Some(Mark::Crash)));
    let broken = films.find(|(_, report)| report.violation.is_some());
    let (film, report) = broken.expect("some seed reaches the goal");
    let violation = report.violation.expect("the goal is reached");
    let (_, last) = film.frames().last().expect("frames");
    assert_eq!((last.what, &last.words), (What::Broken, &violation.to_string()));
}

#[test]
fn a_film_changes_nothing_and_is_always_the_same() {
    let (one, report) = filmed(9, None);
    let (two, _) = filmed(9, None);
    assert_eq!(one, two);
    let plan =
        Plan { safety_us: Some(1_000_000), groups: Some(1), nodes: Some(3), ..Plan::default() };
    let silent = driver_sim::run_seed(9, &plan, Telling::Silent);
    assert_eq!(silent.summary, report.summary);
}

#[test]
fn a_still_picture_is_well_formed_and_shows_its_window() {
    let (film, _) = filmed(7, None);
    let look = Look { frames: (0, 400), ..Look::all(&film, &nasty().title) };
    let picture = svg(&film, &look);
    balance(&picture);
    let crashes = film.frames().take(400).filter(|(_, frame)| frame.what == What::Crashed).count();
    assert_eq!(picture.matches("l10 10m0-10l-10 10").count(), crashes);
    assert!(picture.contains("Accept"), "a run of some seconds chooses something");
}

#[test]
fn a_story_goes_on_in_rows_and_draws_every_message_once() {
    let (film, _) = filmed(7, None);
    let look = Look { frames: (0, 400), ..Look::all(&film, "") };
    let picture = svg(&film, &look);
    assert!(picture.matches("<use href=\"#scene\"/>").count() > 3, "it is too wide for one row");
    let sent = film.flights().filter(|flight| !look.hidden.contains(&flight.name));
    let sent = sent.filter(|f| f.sent.or(f.ended).is_some_and(|sent| sent < 400)).count();
    let titles = picture.matches("<title>").count();
    assert_eq!(titles, sent + 1, "every message says what it is, and so does the picture");
}

#[test]
fn every_story_is_told_and_small_enough() {
    let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs");
    let told = fs::read_to_string(docs.join("STORIES.md")).expect("the stories");
    let files = fs::read_dir(&docs).expect("the folder").map(|file| file.expect("a file").path());
    let pictures: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|e| e == "svg")).collect();
    assert!(pictures.len() > 7);
    for path in pictures {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(
            !name.starts_with('t') || told.contains(&format!("]({name})")),
            "{name} is not told"
        );
        let picture = fs::read_to_string(&path).expect("a picture");
        assert!(picture.len() < 60_000, "{name} is too large");
        balance(&picture);
    }
}

#[test]
fn a_value_that_is_adopted_is_read_along_its_arrow() {
    let story = "docs/t03_x_is_adopted_where_the_quorums_meet.svg";
    let story = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(story);
    let picture = fs::read_to_string(story).expect("the story");
    for words in ["Promise 2.n1 has 1 &quot;X&quot; @1.n2<", "Accept 2.n1 1 &quot;X&quot;<"] {
        assert!(picture.contains(words), "{words}");
    }
}
