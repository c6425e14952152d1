namespace Veredus.Configuration;

/// <summary>A place in a configuration file. Lines and columns count from 1; 0 means "the file as a whole".</summary>
/// <param name="File">Path as the file was opened, or a name such as <c>console</c> for text that is no file.</param>
public readonly record struct SourcePosition(string File, int Line, int Column)
{
    public override string ToString() => Line == 0 ? File : $"{File}:{Line}:{Column}";
}
