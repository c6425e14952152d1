namespace Veredus.Control;

/// <summary>One command given by a user.</summary>
/// <param name="Session">Whose it is; keeps state between the commands of one console.</param>
/// <param name="Command">What was found.</param>
/// <param name="Line">The whole line without the prefix <c>json</c>.</param>
/// <param name="Arguments">The words behind the command's name.</param>
/// <param name="Rest">The raw text behind the command's name, for commands with a grammar of their own.</param>
/// <param name="Json">The prefix <c>json</c> was given.</param>
public sealed record ControlCall(
    ControlSession Session, ControlCommand Command, string Line, IReadOnlyList<string> Arguments, string Rest, bool Json)
{
    /// <summary>The raw text from the argument at the given index on; empty when there is none.</summary>
    public required Func<int, string> RestFrom { get; init; }
}

/// <summary>Carries out a command. What an operator can cause comes back as an answer with a code, not as an exception.</summary>
public delegate ValueTask<ControlAnswer> ControlHandler(ControlCall call, CancellationToken cancellationToken);

/// <summary>A command that the console knows.</summary>
/// <param name="Name">Its literal words in lower case, e.g. <c>binding flush domain</c>.</param>
/// <param name="Arguments">As help shows them, e.g. <c>B D|all</c>; empty for none.</param>
/// <param name="Summary">One line.</param>
/// <param name="Handler">Does it.</param>
public sealed record ControlCommand(string Name, string Arguments, string Summary, ControlHandler Handler)
{
    /// <summary>Whether the prefix <c>json</c> is understood.</summary>
    public bool HasJson { get; init; }

    internal string[] Words { get; } = Name.Split(' ');
}
