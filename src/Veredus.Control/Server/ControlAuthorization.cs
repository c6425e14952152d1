using System.Text.RegularExpressions;

namespace Veredus.Control;

/// <summary>Which users may give which commands (mta.md 9.2): patterns by role; a user's own name counts as a role; nothing matches: refused.</summary>
public sealed class ControlAuthorization
{
    private static readonly TimeSpan MatchTimeout = TimeSpan.FromMilliseconds(100);

    private readonly Dictionary<string, IReadOnlyList<Regex>> _roles;
    private readonly Dictionary<string, List<string>> _rolesOfUser;

    /// <param name="roles">
    /// Role to its <c>allow</c> patterns, in order. A pattern matches from the beginning of the command to the end of a word:
    /// <c>config get</c> allows <c>config get gateway</c>, not <c>config getall</c>.
    /// </param>
    /// <param name="groups">Group to its users; a group's name is a role.</param>
    /// <exception cref="ArgumentException">A pattern is not a regular expression; the message names role and pattern.</exception>
    public ControlAuthorization(IEnumerable<KeyValuePair<string, IReadOnlyList<string>>> roles, IEnumerable<KeyValuePair<string, IReadOnlyList<string>>> groups)
    {
        _roles = roles.ToDictionary(role => role.Key, role => (IReadOnlyList<Regex>)[.. role.Value.Select(pattern => Compile(role.Key, pattern))]);
        _rolesOfUser = groups.SelectMany(group => group.Value.Select(user => (user, group.Key)))
            .GroupBy(pair => pair.user, pair => pair.Key).ToDictionary(user => user.Key, user => user.ToList());
    }

    public IEnumerable<string> Roles => _roles.Keys;

    /// <summary>The user's roles, in the order in which they are tried; the own name is the last.</summary>
    public IReadOnlyList<string> RolesOf(string user) => [.. _rolesOfUser.GetValueOrDefault(user) ?? [], user];

    /// <summary>The role that allows the command; <see langword="null"/> when none does.</summary>
    public string? Match(string user, string command) => Match(RolesOf(user), command);

    /// <summary>The first of these roles that allows the command; <see langword="null"/> when none does.</summary>
    public string? Match(IEnumerable<string> roles, string command)
    {
        foreach (var role in roles)
        {
            foreach (var pattern in _roles.GetValueOrDefault(role) ?? [])
            {
                try
                {
                    if (pattern.IsMatch(command))
                        return role;
                }
                catch (RegexMatchTimeoutException)
                {
                    // A pattern that takes this long on one line allows nothing.
                }
            }
        }
        return null;
    }

    /// <summary>Reads a <c>groups://</c> file: <c>group:user,user</c> or, like group(5), <c>group:x:gid:user,user</c> and <c>group:x:user,user</c>.</summary>
    /// <param name="lines">The lines; <c>#</c> begins a comment.</param>
    /// <param name="path">For messages.</param>
    /// <param name="errors">One message for each bad line.</param>
    public static IReadOnlyList<KeyValuePair<string, IReadOnlyList<string>>> ParseGroups(IEnumerable<string> lines, string path, ICollection<string> errors)
    {
        var groups = new List<KeyValuePair<string, IReadOnlyList<string>>>();
        var number = 0;
        foreach (var line in lines)
        {
            number++;
            if (string.IsNullOrWhiteSpace(line) || line.StartsWith('#'))
                continue;
            var parts = line.Split(':');
            if (parts.Length is < 2 or > 4 || parts[0].Length == 0)
                errors.Add($"{path}, line {number}: expected 'group:user,user'");
            else
                groups.Add(new(parts[0], parts[^1].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)));
        }
        return groups;
    }

    private static Regex Compile(string role, string pattern)
    {
        try
        {
            return new($"^(?:{pattern})(?:\\s|$)", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase, MatchTimeout);
        }
        catch (ArgumentException exception)
        {
            throw new ArgumentException($"role \"{role}\": '{pattern}' is not a regular expression: {exception.Message}", exception);
        }
    }
}
