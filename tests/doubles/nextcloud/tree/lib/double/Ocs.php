<?php

declare(strict_types=1);

namespace Double;

/** The part of the OCS interface, version 2, that sovstack's checks use: users, and settings of apps. */
final class Ocs
{
    public static function answer(Web $web): void
    {
        $user = $web->account();
        if ($user === null) {
            self::reply(401, 997, 'Current user is not logged in');
        }
        if (!isset($_SERVER['HTTP_OCS_APIREQUEST'])) {
            self::reply(412, 412, 'CSRF check failed');
        }
        $isAdmin = in_array('admin', $web->accounts->groupsOf($user), true);
        $path = rtrim($web->path(), '/');
        $method = $_SERVER['REQUEST_METHOD'];
        if ($path === '/cloud/user' && $method === 'GET') {
            self::reply(200, 200, 'OK', self::describe($web, $user));
        }
        if ($path === '/cloud/capabilities' && $method === 'GET') {
            self::reply(200, 200, 'OK', ['version' => ['string' => Release::name()], 'capabilities' => (object) []]);
        }
        if (!$isAdmin) {
            self::reply(403, 403, 'Logged in account must be an admin');
        }
        if ($path === '/cloud/users') {
            $method === 'POST' ? self::create($web) : self::reply(200, 200, 'OK', ['users' => array_map(strval(...), array_keys($web->accounts->list($_GET['search'] ?? '')))]);
        }
        if (preg_match('#^/cloud/users/([^/]+)$#', $path, $match) === 1) {
            self::one($web, $match[1], $method);
        }
        if (preg_match('#^/apps/provisioning_api/api/v1/config/apps/([^/]+)/([^/]+)$#', $path, $match) === 1 && $method === 'GET') {
            self::reply(200, 200, 'OK', ['data' => $web->database->appValue($match[1], $match[2]) ?? ($_GET['defaultValue'] ?? '')]);
        }
        throw new Refusal("the OCS request $method $path is not played");
    }

    private static function create(Web $web): never
    {
        $uid = (string) ($_POST['userid'] ?? '');
        if ($web->accounts->exists($uid)) {
            self::reply(400, 102, 'User already exists');
        }
        try {
            $web->accounts->create($uid, (string) ($_POST['password'] ?? ''));
        } catch (\Exception $error) {
            self::reply(400, 107, $error->getMessage());
        }
        self::reply(200, 200, 'OK', ['id' => $uid]);
    }

    private static function one(Web $web, string $uid, string $method): never
    {
        if (!$web->accounts->exists($uid)) {
            $method === 'DELETE' ? self::reply(400, 101, '') : self::reply(404, 404, 'User does not exist');
        }
        if ($method === 'DELETE') {
            $web->accounts->delete($uid);
            self::reply(200, 200, 'OK');
        }
        if ($method === 'GET') {
            self::reply(200, 200, 'OK', self::describe($web, $uid));
        }
        throw new Refusal("the OCS request $method for a user is not played");
    }

    private static function describe(Web $web, string $uid): array
    {
        $name = $web->accounts->list($uid)[$uid] ?? $uid;
        return [
            'id' => $uid, 'enabled' => $web->accounts->isEnabled($uid), 'displayname' => $name, 'display-name' => $name,
            'email' => $web->accounts->preference($uid, 'settings', 'email'), 'groups' => $web->accounts->groupsOf($uid),
            'backend' => 'Database',
        ];
    }

    private static function reply(int $status, int $code, string $message, array $data = []): never
    {
        http_response_code($status);
        header('Content-Type: application/json; charset=utf-8');
        $meta = ['status' => $status === 200 ? 'ok' : 'failure', 'statuscode' => $code, 'message' => $message];
        echo json_encode(['ocs' => ['meta' => $meta, 'data' => $data]]);
        exit(0);
    }
}
