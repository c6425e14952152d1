namespace Veredus.Configuration;

/// <summary>Whether a finding stops a load.</summary>
public enum DiagnosticSeverity
{
    Warning,
    Error,
}

/// <summary>One finding about a configuration text.</summary>
/// <param name="Code">Stable, <c>CFG-nnnn</c>: 01xx syntax, 02xx names, 03xx values, 04xx files, 05xx references, 06xx resources, 09xx warnings.</param>
/// <param name="Position">Where.</param>
/// <param name="Near">The offending text, or empty.</param>
/// <param name="Message">What is wrong, with what, and what would be accepted.</param>
public sealed record Diagnostic(DiagnosticSeverity Severity, string Code, SourcePosition Position, string Near, string Message)
{
    public bool IsError => Severity == DiagnosticSeverity.Error;

    /// <summary>Two lines: the place, then the message (configuration.md section 11).</summary>
    public override string ToString()
    {
        var place = Position.Line == 0 ? $" in {Position.File}" : $" in {Position.File} at line {Position.Line} column {Position.Column}";
        var near = Near.Length == 0 ? "" : $" near '{Shorten(Near)}'";
        return $"{Code} {Title}{place}{near}\n{Message}";
    }

    private string Title => Code.AsSpan(4, 2) switch
    {
        "01" => "Syntax error",
        "02" => "Name error",
        "03" => "Value error",
        "04" => "File error",
        "05" => "Reference error",
        "06" => "Resource error",
        _ => "Warning",
    };

    private static string Shorten(string text)
    {
        var clean = string.Create(Math.Min(text.Length, 60), text, static (span, source) =>
        {
            for (var i = 0; i < span.Length; i++)
                span[i] = char.IsControl(source[i]) ? ' ' : source[i];
        });
        return text.Length > 60 ? clean + "..." : clean;
    }
}

/// <summary>Collects findings; at most <see cref="MaxErrorsPerFile"/> errors a file, and as many warnings in all.</summary>
internal sealed class DiagnosticBag
{
    public const int MaxErrorsPerFile = 50;
    private const int MaxWarnings = 50;
    private readonly List<Diagnostic> _items = [];
    private readonly Dictionary<string, int> _errorsPerFile = [];
    private int _warnings;

    public IReadOnlyList<Diagnostic> Items => _items;
    public bool HasErrors => _errorsPerFile.Count > 0;

    /// <summary>True when this file's errors no longer fit; its parser stops.</summary>
    public bool IsFull(string file) => _errorsPerFile.GetValueOrDefault(file) >= MaxErrorsPerFile;

    public void Error(string code, SourcePosition position, string near, string message)
    {
        var count = _errorsPerFile.GetValueOrDefault(position.File);
        _errorsPerFile[position.File] = count + 1;
        if (count < MaxErrorsPerFile)
            _items.Add(new(DiagnosticSeverity.Error, code, position, near, message));
        else if (count == MaxErrorsPerFile)
            _items.Add(new(DiagnosticSeverity.Error, "CFG-0110", position, "", $"More than {MaxErrorsPerFile} errors in this file; the rest is not shown."));
    }

    public void Warn(string code, SourcePosition position, string near, string message)
    {
        if (_warnings++ < MaxWarnings)
            _items.Add(new(DiagnosticSeverity.Warning, code, position, near, message));
        else if (_warnings == MaxWarnings + 1)
            _items.Add(new(DiagnosticSeverity.Warning, "CFG-0900", position, "", $"More than {MaxWarnings} warnings; the rest is not shown."));
    }
}

/// <summary>A configuration text that can't be used; <see cref="Diagnostics"/> says why.</summary>
public sealed class ConfigurationException : Exception
{
    public ConfigurationException(IReadOnlyList<Diagnostic> diagnostics)
        : base(string.Join('\n', diagnostics.Where(d => d.IsError))) => Diagnostics = diagnostics;

    public ConfigurationException(string message) : base(message) => Diagnostics = [];
    public ConfigurationException(string message, Exception innerException) : base(message, innerException) => Diagnostics = [];
    public ConfigurationException() => Diagnostics = [];

    public IReadOnlyList<Diagnostic> Diagnostics { get; }
}
