namespace Veredus.Control;

/// <summary>A whole answer.</summary>
/// <param name="Code">0 for <c>+OK</c>, else the code behind <c>-ERR</c>.</param>
/// <param name="Text">Behind the status.</param>
/// <param name="Lines">The body.</param>
public sealed record ControlReply(int Code, string Text, IReadOnlyList<string> Lines)
{
    public bool IsOk => Code == 0;

    /// <summary>The body as one text.</summary>
    public string Body => string.Join('\n', Lines);
}

/// <summary>The server can't be reached, refuses the session, or answers something else than the protocol.</summary>
/// <param name="code">0 when it can't be reached; 401 or 403 when it refuses.</param>
public sealed class ControlException(int code, string message, Exception? inner = null) : IOException(message, inner)
{
    /// <summary>0 when the server can't be reached or breaks off; else its code.</summary>
    public int Code { get; } = code;
}
