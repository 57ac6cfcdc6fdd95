<?php

declare(strict_types=1);

namespace Double;

/** The database, the background jobs, the files, and the checks of the instance's own set-up. */
final class UpkeepCommands
{
    /** @return array<string, \Closure(Input, Settings): int> */
    public static function all(): array
    {
        return [
            'db:add-missing-indices' => self::connected(static function (Input $input): void {
                echo isset($input->options['dry-run']) ? "\n" : '';
            }),
            'db:add-missing-columns' => self::connected(static function (): void {
                echo "Done.\n";
            }),
            'db:add-missing-primary-keys' => self::connected(static function (): void {
                echo "Done.\n";
            }),
            'maintenance:repair' => self::connected(self::repair(...)),
            'background:cron' => self::connected(static function (Input $input, Database $database): void {
                $database->setAppValue('core', 'backgroundjobs_mode', 'cron');
                echo "Set mode for background jobs to 'cron'\n";
            }),
            'background-job:list' => self::connected(self::listJobs(...)),
            'files:scan' => self::scan(...),
            'integrity:check-core' => static fn (): int => throw new Refusal('the integrity of a double is nothing to check'),
            'setupchecks' => SetupChecks::run(...),
        ];
    }

    /** @param \Closure(Input, Database): void $play */
    private static function connected(\Closure $play): \Closure
    {
        return static function (Input $input, Settings $settings) use ($play): int {
            $play($input, new Database($settings));
            return 0;
        };
    }

    private static function repair(Input $input, Database $database): void
    {
        echo " - Repair mime types\n - Clear frontend caches\n";
        if (isset($input->options['include-expensive'])) {
            $database->setAppValue('core', 'mimetype_version', Release::version());
        }
    }

    private static function listJobs(Input $input, Database $database): void
    {
        $rows = $database->rows(
            'select id, class, last_run, argument from {jobs} where class like ? order by id limit ? offset ?',
            [
                '%' . ($input->options['class'] ?? '') . '%',
                (int) ($input->options['limit'] ?? 500),
                (int) ($input->options['offset'] ?? 0),
            ],
        );
        $jobs = array_map(static fn (array $row) => [
            'id' => (string) $row['id'],
            'class' => $row['class'],
            'last_run' => date(DATE_ATOM, (int) $row['last_run']),
            'argument' => $row['argument'],
        ], $rows);
        if (($input->options['output'] ?? 'plain') !== 'plain') {
            Console::print($input, $jobs);
            return;
        }
        foreach ($jobs as $job) {
            echo '| ' . implode(' | ', $job) . " |\n";
        }
    }

    private static function scan(Input $input, Settings $settings): int
    {
        $database = new Database($settings);
        $accounts = new Accounts($database, $settings);
        $users = isset($input->options['all']) ? array_keys($accounts->list()) : ($input->arguments['user_id'] ?? []);
        if (!$users || array_diff(array_keys($input->options), ['all', 'output'])) {
            throw new Refusal('of files:scan only --all and named users are played');
        }
        $total = [0, 0];
        foreach ($users as $number => $uid) {
            if (!$accounts->exists($uid)) {
                echo 'Unknown user ' . ($number + 1) . " $uid\n";
                continue;
            }
            echo 'Starting scan for user ' . ($number + 1) . ' out of ' . count($users) . " ($uid)\n";
            foreach ((new Files($database, $settings, $uid))->scan() as $kind => $count) {
                $total[$kind] += $count;
            }
        }
        echo "| Folders | Files |\n| $total[0] | $total[1] |\n";
        return 0;
    }
}
