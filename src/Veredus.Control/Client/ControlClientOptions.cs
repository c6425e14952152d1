namespace Veredus.Control;

/// <summary>How a console proves who is who over TCP; a Unix socket needs none of it.</summary>
public sealed record ControlClientOptions
{
    /// <summary>Asked when the server wants a password. The argument is the user's name; null: there is nobody to ask.</summary>
    public Func<string, string?> Password { get; init; } = _ => null;

    /// <summary>PEM file with the authority of the server's certificate; <see langword="null"/>: the system's.</summary>
    public string? CaFile { get; init; }

    /// <summary>SHA-256 of the server's certificate in hex, instead of an authority.</summary>
    public string? Fingerprint { get; init; }

    /// <summary>Time for connecting and for the greeting.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);
}
