/** What `rewind policy edit` shows when there is no policy file yet: explains itself, and changes nothing as it is. */
export const EMPTY_FILE = `# What rewindfs captures of this tree, and how. The last rule that matches a path decides; what no rule
# matches is captured at each write. rewind policy check PATH says which rule decides. More: docs/policy.md
#
# interval = 10           # seconds between captures of files that stay open under "on-close"
# on_full = "integrity"   # "work": when the store's disk is full or fails, the tree goes on unrecorded
# defaults = true         # false: without the built-in rules (rewind policy show lists them)
#
# [[rule]]
# match = "target/"       # as in .gitignore; or a list of patterns
# capture = "none"        # "each-write", "on-close" or "none"
# note = "cargo makes it again"
#
# [[rule]]
# match = "*.db"
# recover = "automatic"   # a file that cannot be read any more is put back: "manual", "notified" or "automatic"
# retries = 3
# timeout = "10s"
# check = "1d"            # so often its content is compared with history
#
# [[rule]]
# match = "node_modules/"
# keep = "1h"             # how long content is kept; what no rule says: docs/retention.md
#
# [points]                # instants that are kept by a name, by themselves: docs/points.md
# every = "10m"           # when something changed
#
# [[point]]
# name = "schema"         # then: rewind rollback --to before:schema
# match = "*.sql"
#
# [[installer]]           # what installs and removes, beside the built-in ones: npm, pip, apt, make ...
# exe = "nix-env"
# install = ["-i", "--install"]
# uninstall = "-e"
# anywhere = true         # wherever the argument stands
#
# [[group]]               # then: rewind log --group sql, .snapshots/%sql@10m
# name = "sql"
# include = "*.sql"
#
# [trip]                  # what is too much at once: docs/points.md
# deletion = 1000         # files in ten seconds; encryption, overwriting, renaming
# block = ["encryption"]  # who does that may change nothing more until: rewind release
# hook = "notify-send rewindfs \\"$REWIND_ALARM: $REWIND_COUNT files\\""
`;
