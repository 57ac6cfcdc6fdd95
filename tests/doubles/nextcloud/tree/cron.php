<?php

declare(strict_types=1);

require __DIR__ . '/lib/base.php';

try {
    $settings = new Double\Settings();
    if (!$settings->installed() || $settings->get('maintenance', false) || Double\Release::needsUpgrade($settings)) {
        exit(0);
    }
    $database = new Double\Database($settings);
    $database->run('update {jobs} set last_run = ?', [time()]);
    $database->setAppValue('core', 'lastcron', (string) time());
    if (OC::$CLI) {
        $database->setAppValue('core', 'backgroundjobs_mode', 'cron');
    } else {
        header('Content-Type: application/json; charset=utf-8');
        echo '{"status":"success"}';
    }
} catch (Throwable $error) {
    echo $error->getMessage(), PHP_EOL;
    exit(1);
}
