namespace Veredus.Configuration;

/// <summary>What a parsed file consists of. <see cref="Start"/> and <see cref="End"/> are offsets into its text.</summary>
internal abstract record Statement(SourcePosition Position, int Start)
{
    public int End { get; set; } = Start;
}

internal sealed record IncludeStatement(SourcePosition Position, int Start, string Path, bool ReadOnly) : Statement(Position, Start);

internal sealed record AssignmentStatement(SourcePosition Position, int Start, string Name, RawValue Value, SourcePosition ValuePosition, int ValueStart) : Statement(Position, Start);

internal sealed record ScopeStatement(SourcePosition Position, int Start, string Name, string? Instance, SourcePosition InstancePosition) : Statement(Position, Start)
{
    public List<Statement> Body { get; } = [];
}
