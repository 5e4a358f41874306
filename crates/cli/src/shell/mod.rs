//! The interactive shell.
//!
//! 1. Read: lines are collected until a semicolon ends the statement ([`helper`], [`crate::input`]). Tab completes
//!    names ([`complete`], [`names`]), and words get colours ([`highlight`]). Arrow up brings back what was typed before
//!    ([`history`]).
//! 2. Run: the statement runs like one of a script. Ctrl-C abandons it and comes back here.
//! 3. Print: its rows, or its error in one line. Either way the prompt comes back.

mod complete;
mod helper;
mod highlight;
mod history;
mod names;

use rustyline::Editor;
use rustyline::config::{CompletionType, Config};
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use tokio::runtime::Handle;

use crate::args::{Color, ShellArgs};
use crate::failure::Failure;
use crate::input;
use crate::run::{Flow, Runner, Source};
use helper::{ShellHelper, leaves};

const PROMPT: &str = "milepost> ";
/// Statements that the history keeps.
const REMEMBERED: usize = 5_000;

type LineEditor = Editor<ShellHelper, DefaultHistory>;

/// Runs the shell until `\q`, `exit`, `quit` or the end of input. Must not be called from inside the runtime that `handle` is of.
///
/// # Errors
/// A terminal that cannot be read, or output that cannot be written.
pub(crate) fn run(handle: &Handle, runner: &mut Runner, args: &ShellArgs) -> Result<(), Failure> {
    if !runner.printer.quiet {
        greet(runner)?;
    }
    if handle.block_on(start_files(runner, args)) == Flow::Quit {
        return Ok(());
    }
    let mut editor = editor(handle, runner, args.color).map_err(terminal)?;
    let history = history::file();
    if let Some(path) = &history {
        // The first start has no history, and a shell without one is better than none.
        let _ = editor.load_history(path);
    }
    loop {
        match editor.readline(PROMPT) {
            Ok(input) if input.trim().is_empty() => {}
            Ok(input) if leaves(&input) => return Ok(()),
            Ok(input) => {
                let dialect = runner.session.context().copied_config().options().sql_parser.dialect;
                history::remember(&mut editor, history.as_ref(), &input, &*input::dialect(&dialect));
                if handle.block_on(take_input(runner, input))? == Flow::Quit {
                    return Ok(());
                }
                if let Some(helper) = editor.helper_mut() {
                    helper.session_changed();
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(terminal(error)),
        }
    }
}

fn greet(runner: &mut Runner) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    let store = runner.session.store().url().to_string();
    runner.printer.output.line(&format!("Milepost {version}, checkpoints in {store}"))
}

/// Runs what `--rc` names, or `~/.milepostrc` if there is one. A mistake there does not keep anybody out.
async fn start_files(runner: &mut Runner, args: &ShellArgs) -> Flow {
    let usual = || dirs::home_dir().map(|home| home.join(".milepostrc")).filter(|path| path.is_file());
    let files = match args.rc.as_slice() {
        _ if args.no_rc => Vec::new(),
        [] => usual().into_iter().collect(),
        named => named.to_vec(),
    };
    for path in files {
        match runner.file(&path).await {
            Ok(Flow::Quit) => return Flow::Quit,
            Ok(Flow::Continue) => {}
            Err(failure) => failure.report(),
        }
    }
    Flow::Continue
}

/// Runs what was typed. Its mistakes are printed, and only a closed output ends the shell.
async fn take_input(runner: &mut Runner, text: String) -> Result<Flow, Failure> {
    runner.interrupts.forget();
    let outcome = runner.source(&Source { name: String::new(), text }).await;
    runner.interrupts.forget();
    match outcome {
        Err(closed @ (Failure::OutputClosed | Failure::Output(_))) => Err(closed),
        Err(failure) => {
            failure.report();
            Ok(Flow::Continue)
        }
        Ok(flow) => Ok(flow),
    }
}

fn editor(handle: &Handle, runner: &Runner, color: Color) -> rustyline::Result<LineEditor> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .max_history_size(REMEMBERED)?
        .history_ignore_dups(true)?
        .history_ignore_space(true)
        .indent_size(4)
        .build();
    let mut editor = Editor::with_config(config)?;
    let colors = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    };
    editor.set_helper(Some(ShellHelper::new(handle.clone(), runner.session.clone(), colors)));
    Ok(editor)
}

fn terminal(error: ReadlineError) -> Failure {
    let source = match error {
        ReadlineError::Io(source) => source,
        other => std::io::Error::other(other.to_string()),
    };
    Failure::System { operation: "read from the terminal", source }
}
