namespace Veredus.Reception.Auth;

/// <summary>
/// Reads a file of users: <c>file://</c> (<c>user:password</c>) or <c>scram://</c> (<c>user:SCRAM-SHA-256$...</c>). Empty lines and
/// lines that begin with <c>#</c> are comments.
/// </summary>
public static class CredentialFile
{
    /// <summary>Users in one file; a larger file is an error, not a memory problem.</summary>
    public const int MaxUsers = 1_000_000;

    /// <summary>Reads the entry behind the user name.</summary>
    public delegate bool EntryParser<TEntry>(string text, out TEntry entry, out string error);

    /// <summary>Reads the lines of a file.</summary>
    /// <param name="lines">The lines.</param>
    /// <param name="parse">Reads one entry.</param>
    /// <param name="path">For messages.</param>
    /// <param name="errors">Gets one message for each bad line, with path and line number, never with a secret.</param>
    public static Dictionary<string, TEntry> Parse<TEntry>(IEnumerable<string> lines, EntryParser<TEntry> parse, string path, ICollection<string> errors)
    {
        var users = new Dictionary<string, TEntry>(StringComparer.Ordinal);
        var number = 0;
        foreach (var line in lines)
        {
            number++;
            var text = line.TrimEnd('\r');
            if (string.IsNullOrWhiteSpace(text) || text.StartsWith('#'))
                continue;
            var colon = text.IndexOf(':', StringComparison.Ordinal);
            if (users.Count >= MaxUsers)
            {
                errors.Add($"{path}, line {number}: more than {MaxUsers} users");
                break;
            }

            if (colon <= 0)
                errors.Add($"{path}, line {number}: expected 'user:password'");
            else if (!parse(text[(colon + 1)..], out var entry, out var error))
                errors.Add($"{path}, line {number}, user '{text[..colon]}': {error}");
            else if (!users.TryAdd(text[..colon], entry))
                errors.Add($"{path}, line {number}: the user '{text[..colon]}' stands in the file twice");
        }

        return users;
    }
}
