using System.Security.Cryptography;
using System.Text;

namespace Veredus.ConfigServer;

/// <summary>One who may sign in.</summary>
/// <param name="Writes">Repositories that may be written; <c>*</c> = all.</param>
public sealed record ConfigUser(string Name, string Hash, IReadOnlyList<string> Writes)
{
    public bool MayWrite(string repository) => Writes.Contains("*") || Writes.Contains(repository);
}

/// <summary>
/// The file <c>users</c> of a configuration server: lines <c>name:pbkdf2-sha256$rounds$salt$hash:repository,…</c>, after a line <c># serial N</c> that
/// grows with every change, so that the servers of a cluster agree on the newest. Wrong passwords cost time: after
/// ten from one address within a minute nobody signs in from there until the minute is over.
/// </summary>
public sealed class UserFile(string path, TimeProvider time)
{
    private const int Rounds = 210_000;
    private const int MaxFailures = 10;
    private const int MaxAddresses = 10_000;
    private const int MaxFileCharacters = 1_000_000;
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);
    private readonly Lock _lock = new();
    private readonly Dictionary<string, (int Count, long Since)> _failures = [];
    private readonly Dictionary<string, string> _verified = [];
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);

    /// <summary>Adds a user or gives a new password.</summary>
    public void Set(string name, string password, IReadOnlyList<string> writes)
    {
        if (name.Length is 0 or > 64 || name.AsSpan().ContainsAny(':', '\n') || name.Any(char.IsControl))
            throw new EccfgException(EccfgExit.Usage, $"'{name}' can't be a user's name.");
        if (password.Length == 0)
            throw new EccfgException(EccfgExit.Usage, "an empty password is none.");
        var salt = RandomNumberGenerator.GetBytes(16);
        var hash = $"pbkdf2-sha256${Rounds}${Convert.ToBase64String(salt)}${Convert.ToBase64String(Derive(password, salt, Rounds))}";
        var users = Read().Where(user => user.Name != name).Append(new(name, hash, writes)).OrderBy(user => user.Name, StringComparer.Ordinal);
        Write($"# serial {Serial(Text) + 1}\n" + string.Concat(users.Select(user => $"{user.Name}:{user.Hash}:{string.Join(',', user.Writes)}\n")));
    }

    /// <summary>Adds the service user, or gives it its password where that is another; harmless at every start.</summary>
    public void SetService(string password)
    {
        if (!IsService(password))
            Set(ConfigServerHost.ServiceUser, password, []);
    }

    /// <summary>Whether this is the service user's password.</summary>
    public bool IsService(string password) => Verify(Read().FirstOrDefault(user => user.Name == ConfigServerHost.ServiceUser), password);

    /// <summary>The file as it is, to be told to the other servers.</summary>
    public string Text => File.Exists(path) ? File.ReadAllText(path) : "";

    /// <summary>Takes another server's file if it is newer than the one here.</summary>
    /// <returns>Whether it was taken.</returns>
    public bool Adopt(string text)
    {
        if (text.Length > MaxFileCharacters || (Serial(text), text).CompareTo((Serial(Text), Text)) <= 0 || Parse(text).All(user => user.Name != ConfigServerHost.ServiceUser))
            return false;
        Write(text);
        return true;
    }

    private void Write(string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        AtomicFile.Write(path, Encoding.UTF8.GetBytes(text));
    }

    private static long Serial(string text) =>
        text.StartsWith("# serial ", StringComparison.Ordinal) && long.TryParse(text.AsSpan(9, Math.Max(0, text.IndexOf('\n', StringComparison.Ordinal) - 9)), out var serial) ? serial : 0;

    public IReadOnlyList<ConfigUser> Read() => Parse(Text);

    private static IReadOnlyList<ConfigUser> Parse(string text) => [.. text.Split('\n').Where(line => !line.StartsWith('#')).Select(line => line.Split(':')).Where(parts => parts.Length == 3)
        .Select(parts => new ConfigUser(parts[0], parts[1], parts[2].Split(',', StringSplitOptions.RemoveEmptyEntries)))];

    /// <summary>Who signs in, or null; <paramref name="isLimited"/>: too many wrong passwords came from that address.</summary>
    public ConfigUser? SignIn(string address, string name, string password, out bool isLimited)
    {
        lock (_lock)
        {
            isLimited = _failures.TryGetValue(address, out var failed) && failed.Count >= MaxFailures && time.GetElapsedTime(failed.Since) < Window;
            if (isLimited)
                return null;
        }
        var user = Read().FirstOrDefault(user => user.Name == name);
        if (Verify(user, password))
            return user;
        lock (_lock)
        {
            if (_failures.Count >= MaxAddresses)
                _failures.Clear();
            var failed = _failures.GetValueOrDefault(address);
            _failures[address] = failed.Count == 0 || time.GetElapsedTime(failed.Since) >= Window ? (1, time.GetTimestamp()) : (failed.Count + 1, failed.Since);
        }
        return null;
    }

    private bool Verify(ConfigUser? user, string password)
    {
        // One git command asks several times: a password that was right is known by a keyed digest while the process lives.
        var digest = Convert.ToBase64String(HMACSHA256.HashData(_key, Encoding.UTF8.GetBytes($"{user?.Hash}\0{password}")));
        lock (_lock)
            if (user is not null && _verified.GetValueOrDefault(user.Name) == digest)
                return true;
        if (user?.Hash.Split('$') is not ["pbkdf2-sha256", var rounds, var salt, var hash])
        {
            Derive(password, _key, Rounds);  // takes as long as for a user that exists
            return false;
        }
        if (!CryptographicOperations.FixedTimeEquals(Derive(password, Convert.FromBase64String(salt), int.Parse(rounds, System.Globalization.CultureInfo.InvariantCulture)), Convert.FromBase64String(hash)))
            return false;
        lock (_lock)
            _verified[user.Name] = digest;
        return true;
    }

    private static byte[] Derive(string password, byte[] salt, int rounds) => Rfc2898DeriveBytes.Pbkdf2(password, salt, rounds, HashAlgorithmName.SHA256, 32);
}
