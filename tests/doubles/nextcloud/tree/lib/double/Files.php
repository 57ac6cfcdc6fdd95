<?php

declare(strict_types=1);

namespace Double;

/** One user's files: the content in the data directory, what is known of it in the database. */
final class Files
{
    private string $root;

    public function __construct(private Database $database, Settings $settings, private string $owner)
    {
        $this->root = $settings->get('datadirectory') . "/$owner/files";
        if (!is_dir($this->root)) {
            mkdir($this->root, 0755, true);
        }
    }

    public static function removeTree(string $path): void
    {
        if (is_dir($path)) {
            foreach (array_diff(scandir($path), ['.', '..']) as $name) {
                self::removeTree("$path/$name");
            }
            rmdir($path);
        } elseif (file_exists($path)) {
            unlink($path);
        }
    }

    /** Where a path of the user's lies on the disk; null for one that would lead elsewhere. */
    public function locate(string $path): ?string
    {
        $segments = array_filter(explode('/', $path), static fn (string $segment) => $segment !== '');
        if (array_intersect($segments, ['.', '..']) || str_contains($path, "\0")) {
            return null;
        }
        return rtrim($this->root . '/' . implode('/', $segments), '/');
    }

    public function put(string $path, string $place, mixed $content): bool
    {
        $isNew = !is_file($place);
        $part = "$place." . bin2hex(random_bytes(4)) . '.part';
        $target = fopen($part, 'w');
        stream_copy_to_stream($content, $target);
        fclose($target);
        rename($part, $place);
        $this->record($path, $place);
        return $isNew;
    }

    private function record(string $path, string $place): void
    {
        clearstatcache();
        $this->database->run(
            'insert into {filecache} (owner, path, size, mtime, etag) values (?, ?, ?, ?, ?)
             on conflict (owner, path) do update set size = excluded.size, mtime = excluded.mtime, etag = excluded.etag',
            [$this->owner, 'files/' . trim($path, '/'), filesize($place), filemtime($place), bin2hex(random_bytes(16))],
        );
    }

    public function etag(string $path): string
    {
        return (string) $this->database->value(
            'select etag from {filecache} where owner = ? and path = ?',
            [$this->owner, 'files/' . trim($path, '/')],
        );
    }

    public function makeFolder(string $path, string $place): void
    {
        mkdir($place);
        $this->record($path, $place);
    }

    public function delete(string $path, string $place): void
    {
        self::removeTree($place);
        $known = 'files/' . trim($path, '/');
        $this->database->run(
            "delete from {filecache} where owner = ? and (path = ? or starts_with(path, ?))",
            [$this->owner, $known, "$known/"],
        );
    }

    /** Makes the database know what lies on the disk. @return array{int, int} folders and files */
    public function scan(): array
    {
        $count = [0, 0];
        $entries = new \RecursiveIteratorIterator(
            new \RecursiveDirectoryIterator($this->root, \FilesystemIterator::SKIP_DOTS),
            \RecursiveIteratorIterator::SELF_FIRST,
        );
        foreach ($entries as $entry) {
            $count[$entry->isDir() ? 0 : 1]++;
            $this->record(substr($entry->getPathname(), strlen($this->root)), $entry->getPathname());
        }
        return $count;
    }
}
