//! The Dockerfile against reality. No image can be built where the tests run, so
//! what its lines rely on is checked one by one.

use crate::support::{Weir, folder, ports, require, write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// One instruction: its name in capitals and its arguments as written.
type Instruction = (String, String);

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text_of(name: &str) -> String {
    let path = repository().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Instructions in order; a backslash at its end continues a line.
fn instructions() -> Vec<Instruction> {
    text_of("Dockerfile")
        .replace("\\\n", " ")
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (name, rest) = line
                .split_once(' ')
                .unwrap_or_else(|| panic!("no arguments: {line:?}"));
            (name.to_ascii_uppercase(), rest.trim().to_owned())
        })
        .collect()
}

/// The arguments of every instruction of this name, in the final stage only.
fn of_the_image(name: &str) -> Vec<String> {
    let all = instructions();
    let last = all
        .iter()
        .rposition(|(name, _)| name == "FROM")
        .expect("a FROM");
    let of_name = |(found, _): &&Instruction| found == name;
    let found = all[last..].iter().filter(of_name);
    found.map(|(_, arguments)| arguments.clone()).collect()
}

/// The sources and the destination of a COPY, without its options.
fn copied(arguments: &str) -> (Vec<&str>, &str) {
    let mut words: Vec<&str> = arguments
        .split_whitespace()
        .filter(|word| !word.starts_with("--"))
        .collect();
    let destination = words.pop().expect("a destination");
    (words, destination)
}

#[test]
fn what_it_copies_is_there() {
    let mut seen = 0;
    for (name, arguments) in instructions() {
        if name != "COPY" {
            continue;
        }
        seen += 1;
        let (sources, _) = copied(&arguments);
        assert!(!sources.is_empty(), "COPY {arguments}");
        for source in sources {
            if arguments.contains("--from=") {
                // The one thing the first stage makes, where cargo puts it.
                assert!(source.ends_with("/target/release/weir"), "COPY {arguments}");
            } else {
                let path = repository().join(source);
                assert!(path.exists(), "COPY {arguments}: no {}", path.display());
            }
        }
    }
    assert!(seen >= 3, "source, program and configuration: {seen}");
}

#[test]
fn it_is_built_as_the_tests_build() {
    let build = "cargo build --release --locked";
    assert!(
        instructions().contains(&("RUN".to_owned(), build.to_owned())),
        "no RUN {build}"
    );
    assert!(
        text_of("test.sh").contains(build),
        "test.sh does not {build}"
    );
    let from: Vec<_> = instructions()
        .into_iter()
        .filter(|(name, _)| name == "FROM")
        .collect();
    assert_eq!(from.len(), 2, "two stages: {from:?}");
    let manifest = text_of("Cargo.toml");
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))
        .expect("a rust-version")
        .trim_matches('"');
    let image = format!("rust:{version}-");
    assert!(
        from[0].1.starts_with(&image),
        "{} is not {image}",
        from[0].1
    );
}

#[test]
fn its_ports_user_signal_and_state_are_as_documented() {
    let exposed = of_the_image("EXPOSE").join(" ");
    let mut exposed: Vec<&str> = exposed.split_whitespace().collect();
    exposed.sort_unstable();
    assert_eq!(exposed, ["5140/tcp", "5140/udp", "8420/tcp"]);
    assert_eq!(of_the_image("STOPSIGNAL"), ["SIGTERM"]);
    assert_eq!(of_the_image("VOLUME"), ["/var/lib/weir"]);
    let user = of_the_image("USER").pop().expect("a USER");
    let user = user.split(':').next().expect("a name");
    assert!(user != "root" && user != "0", "it runs as {user}");

    // The configuration in the image binds just these ports and keeps its state there.
    let config = text_of(&configuration());
    for line in [
        "{ protocol: udp, address: \"0.0.0.0:5140\" }",
        "{ protocol: tcp, address: \"0.0.0.0:5140\" }",
        "http: { address: \"0.0.0.0:8420\" }",
        "state: /var/lib/weir",
    ] {
        assert!(config.contains(line), "no {line:?} in\n{config}");
    }
}

#[test]
fn its_configuration_passes_the_check() {
    let path = repository().join(configuration());
    let path = path.to_str().expect("a path in UTF-8");
    let ended = Weir::run(&["check", "-c", path], None);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
}

/// The file that becomes the image's `weir.yaml`, and that its command names.
fn configuration() -> String {
    let copies = of_the_image("COPY");
    let (source, destination) = copies
        .iter()
        .map(|arguments| copied(arguments))
        .find(|(_, destination)| destination.ends_with("/weir.yaml"))
        .expect("a COPY to weir.yaml");
    let command = [of_the_image("ENTRYPOINT"), of_the_image("CMD")].concat();
    let words: Vec<String> = command.iter().flat_map(|json| exec_form(json)).collect();
    assert_eq!(words[1..], ["serve", "-c", destination]);
    source[0].to_owned()
}

#[test]
fn its_health_check_tells_a_running_weir_from_none() {
    if !require(&["bash"]) {
        return;
    }
    let check = of_the_image("HEALTHCHECK").pop().expect("a HEALTHCHECK");
    let (_, command) = check.split_once("CMD ").expect("a CMD");
    let words = exec_form(command);
    let healthy = |port: u16| {
        let (program, arguments) = words.split_first().expect("a program");
        let status = Command::new(program)
            .args(arguments)
            .env("WEIR_HTTP_PORT", port.to_string())
            .output()
            .unwrap_or_else(|e| panic!("cannot run {words:?}: {e}"));
        status.status.success()
    };
    let site = folder(&[]);
    let config = "listen: [{ protocol: tcp, address: \"127.0.0.1:0\" }]\n\
                  state: state\nhttp: { address: \"127.0.0.1:0\" }\n";
    write(&site.path().join("weir.yaml"), config);
    let mut weir = Weir::serve(site.path());
    let port = weir.address("http").port();
    assert!(healthy(port), "a running weir is found ill by {words:?}");
    weir.kill();
    assert!(
        !healthy(port),
        "a killed weir is found healthy by {words:?}"
    );
    assert!(!healthy(ports::free()), "nothing is found healthy");
    // Without a word from outside it asks where the image's weir listens.
    assert!(command.contains("${WEIR_HTTP_PORT:-8420}"), "{command}");
}

#[test]
fn what_is_built_elsewhere_stays_out_of_its_context() {
    let ignored = text_of(".dockerignore");
    let ignored: Vec<&str> = ignored.lines().map(str::trim).collect();
    for path in ["target", ".git"] {
        assert!(ignored.contains(&path), "{path} is sent to the builder");
    }
    for needed in ["Cargo.toml", "Cargo.lock", "src", "rules", "docker"] {
        assert!(!ignored.contains(&needed), "{needed} is kept from it");
        let path: PathBuf = repository().join(needed);
        assert!(path.exists(), "no {}", path.display());
    }
}

/// The words of `["program", "argument"]`.
fn exec_form(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_else(|e| panic!("not in exec form ({e}): {json}"))
}
