namespace Veredus.Control;

/// <summary>The commands of a console: finds the one with the most literal words, case-insensitively, and explains them.</summary>
public sealed class ControlCommandTable
{
    private readonly Dictionary<string, ControlCommand> _commands = new(StringComparer.OrdinalIgnoreCase);
    private readonly int _longest;

    /// <param name="commands">In any order; <c>help</c>, <c>noop</c> and <c>quit</c> are added here.</param>
    /// <exception cref="ArgumentException">Two commands have one name.</exception>
    public ControlCommandTable(IEnumerable<ControlCommand> commands)
    {
        ControlCommand[] own =
        [
            new("help", "[command]", "this list, or what one command does", Help) { HasJson = true },
            new("noop", "", "nothing; keeps an idle session open", (_, _) => new(ControlAnswer.Ok())),
            new("quit", "", "ends the session", (_, _) => new(ControlAnswer.Ok("bye"))),
        ];
        foreach (var command in commands.Concat(own))
        {
            _commands.Add(command.Name, command);
            _longest = Math.Max(_longest, command.Words.Length);
        }
    }

    /// <summary>Has an answer for a line that is no command here; <see langword="null"/> for the usual one, which names the nearest.</summary>
    public Func<string, string?>? Unknown { get; init; }

    public IEnumerable<ControlCommand> Commands => _commands.Values.OrderBy(command => command.Name, StringComparer.Ordinal);

    /// <summary>Finds the command that the words begin with.</summary>
    public ControlCommand? Find(IReadOnlyList<CommandWord> words, int from = 0)
    {
        for (var count = Math.Min(words.Count - from, _longest); count > 0; count--)
        {
            if (_commands.TryGetValue(string.Join(' ', words.Skip(from).Take(count).Select(word => word.Text)), out var command))
                return command;
        }
        return null;
    }

    /// <summary>The names nearest to what was typed: those that begin with its first word.</summary>
    public IReadOnlyList<string> Nearest(string firstWord)
    {
        var begin = Commands.Where(command => command.Words[0].StartsWith(firstWord, StringComparison.OrdinalIgnoreCase)).Select(command => command.Name).ToList();
        return begin.Count > 0 ? begin
            : [.. Commands.Select(command => command.Words[0]).Distinct().Where(word => Spelling.Distance(word, firstWord.ToLowerInvariant()) <= 2)];
    }

    private ValueTask<ControlAnswer> Help(ControlCall call, CancellationToken cancellationToken)
    {
        var commands = Commands.ToList();
        if (call.Arguments.Count > 0)
        {
            var wanted = string.Join(' ', call.Arguments);
            commands = [.. commands.Where(command => command.Name.Equals(wanted, StringComparison.OrdinalIgnoreCase)
                || command.Name.StartsWith(wanted + ' ', StringComparison.OrdinalIgnoreCase))];
            if (commands.Count == 0)
                return new(ControlAnswer.NotFound($"There is no command '{wanted}'. 'help' lists all."));
        }
        if (call.Json)
            return new(ControlAnswer.Body(ControlJson.Help(commands)));
        var width = commands.Max(command => command.Name.Length + command.Arguments.Length) + 3;
        return new(ControlAnswer.Body(commands.Select(command => $"{command.Name} {command.Arguments}".PadRight(width) + command.Summary)));
    }
}
