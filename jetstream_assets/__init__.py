"""jetstream_assets analyses A/B experiments by itself, as a Dagster asset graph.

The map of the house. A partition (experiment, date) is turned into a plan once; the plan walks
down one corridor and never looks back:

    analysis_plan -> enrollments -> daily_aggregates -> metrics -> statistics
        -> result_status -> statistics_export -> results_page

Rooms, lowest floor first; imports only go down, and a test checks it:

    errors         a handful of errors, each says what was found, what is allowed, what to do
    experiments/   what was tried: experiment, windows, metrics, configuration, plan; no I/O
    sql/           questions: the model turned into sqlglot trees, never executed here
    statistics/    answers: sufficient statistics in, result rows out
    warehouse/     where tables live: the protocol, DuckDB over Parquet, BigQuery, the translation
    config/        what was written (TOML, Experimenter JSON) turned into what is meant
    report/        what programs and people see: exported documents, pages, where they go
    simulation/    seeded telemetry with a known truth, for the demo, tests and benchmarks
    analysis/      how one cell is computed: plan and warehouse in, table slices out
    orchestration/ the only package that imports Dagster; files are Dagster's own nouns
    authoring/     what authors are told before they merge: mistakes with line and column, costs
    definitions        the door for Dagster: a code location
    cli, results       the doors for people: the `jetstream` command, and frames for notebooks
"""
